"""Findings: results computed once, after the last update, which `runs/summary.py` collects for summary.json.

held_out_results   the losses of the best model on the held-out text, beside n-grams and compressors
copied_passages    the passages that the samples copied from the training text
sample_marks       the words and passages of the samples that occur in it
"""
