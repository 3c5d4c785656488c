"""What a trained model is for: log p of the next character is all that writing, scoring and compressing need.

scoring      the mean over a text; `surprise` each character of it, `documents` each line, `dynamic` while it learns on
generation   writing: `sampling` is how a character is drawn
compression  `coding` makes words of probabilities, `container` a file; `adaptive_compression` does without a model
yardsticks   `baselines` and `ngram` know no network; `novelty` finds what a text has copied from another
"""
