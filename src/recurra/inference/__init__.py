"""Use a trained model: sampling and scoring need only log p of the next character.

generation          generate texts; `sampling` has the settings, `sampling_options` declares each
scoring             the mean loss of a text; `surprise` the cost of each character, `line_scores` of each line
dynamic_evaluation  score while the model learns on
baselines           simple codes and compressors to compare with; `ngram` has Kneser-Ney n-grams
novelty             passages that a text copied from another
"""
