"""The Python interface: one module per task, with the same options as the command for that task.

model_training     `train`: train a model on a text and write the run directory
text_scoring       `score`, `evaluate`, `baselines`: score texts; `evaluation` has the results
file_compression   `compress`, `decompress`: compress files with a model
gradient_checking  `check`: compare the gradients with numerical gradients
model_exchange     `export`, `import_model`: exchange models with other programs
run_reports        `write_report`: write the HTML page and the figures of runs
model_serving      `serve`: serve models over HTTP

Use them as `recurra.train`, `recurra.score` and so on. A command in `cli/commands/` parses its options, calls one of
these functions and prints the result.
"""
