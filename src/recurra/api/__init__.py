"""The Python interface: one module for each use case, with the options that the command of the same work has.

model_training     `train`: a text to a trained model and the directory of its run
text_scoring       `score`, `evaluate`, `baselines`: how well models predict a text; `evaluation` has the results
file_compression   `compress`, `decompress`
gradient_checking  `check`: the proof of the gradients
model_exchange     `export`, `import_model`: models for other programs, and theirs for this one
run_reports        `write_report`: the page and the figures of runs
model_serving      `serve`: models over HTTP

Use them as `recurra.train`, `recurra.score` and so on. A command in `cli/commands/` parses its options, calls one of
these functions and prints what it returns.
"""
