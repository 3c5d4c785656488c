"""Use a trained model: sample text, score text, and compare with baselines. All need log p of the next character.

generation          generate texts; `sampling` applies the settings, `sampling_options` declares them
scoring             the mean loss of a text; `surprise` the loss of each character, `line_scores` of each line
dynamic_evaluation  score a text while the model learns from it
baselines           simple codes and compressors for comparison; `ngram` has Kneser-Ney n-grams
novelty             passages that a text copied from the training text
"""
