"""Findings: results computed once, after the last update, which `runs/summary.py` collects for summary.json.

held_out_results   the losses of the best model on the held-out text, next to n-grams and compressors
copied_passages    the passages that samples copied from the text; `sample_marks` has their words that occur in it
"""
