"""What is found of a run when it ends, and not while it trains, for summary.json: `training.summary` puts it together.

held_out   what the best model makes of the text that was held out, beside n-grams and compressors
copies     what the samples have copied from the text that was learned
marks      the samples' words and passages that stand in it
"""
