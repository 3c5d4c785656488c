"""`recurra export`: a model for other programs."""

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from recurra.cli.options import MODEL, OUTPUT, flag, output, text

EXAMPLES = """\
Examples:
  recurra export runs/kjv                       the folder kjv-model, with a card
  recurra export runs/kjv --format torch        kjv.safetensors, a state_dict
  recurra export runs/kjv --format onnx -o kjv.onnx
  recurra export runs/kjv --format matlab       kjv.mat and sample_kjv.m"""

app = App(name="export", usage="Usage: recurra export MODEL [OPTIONS]", help_epilogue=EXAMPLES)


@app.default
def export(
    model: Annotated[str, MODEL],
    /,
    *,
    format: Annotated[
        str, Parameter(converter=text, help="folder, torch, onnx or matlab.", show_default="folder", group=OUTPUT)
    ] = "folder",
    output: Annotated[Path | None, output("The file or folder to write.", "here, named after MODEL")] = None,
    force: Annotated[bool, flag("Replace files that are there.", OUTPUT)] = False,
    quiet: Annotated[bool, flag("Say nothing but the paths.", OUTPUT)] = False,
) -> int:
    """Write a model for PyTorch, ONNX or MATLAB.

    folder: weights, config, vocabulary and a model card in the convention of
    Hugging Face. torch: the state_dict of nn.RNN, LSTM or GRU as safetensors.
    onnx: ids and state in, log-probabilities and state out. matlab: the struct
    RNN, and a function that samples from it. The paths of what was written go
    to stdout, one a line.
    """
    from recurra.api import model_exchange
    from recurra.cli.terminal import escape_for_stdout, print_stderr, write_text
    from recurra.formatting import sanitize

    origin, _, written = model_exchange.export_files(model, output, format=format, force=force)
    if not quiet:
        print_stderr(*(f"{name:13}  {sanitize(value)}" for name, value in origin.facts.items()))
    write_text("".join(f"{escape_for_stdout(str(one))}\n" for one in written))
    return 0
