"""`recurra export`: write a model for other programs."""

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from recurra.cli.options import MODEL, OUTPUT, examples, flag, output, text

EXAMPLES = examples(
    "recurra export runs/kjv                   write the folder kjv-model",
    "recurra export runs/kjv --format torch    write kjv.safetensors",
    "recurra export runs/kjv --format onnx -o kjv.onnx",
    "recurra export runs/kjv --format matlab   write kjv.mat and sample_kjv.m",
)

app = App(name="export", usage="Usage: recurra export MODEL [OPTIONS]", help_epilogue=EXAMPLES)


@app.default
def export(
    model: Annotated[str, MODEL],
    /,
    *,
    format: Annotated[
        str, Parameter(converter=text, help="Format: folder, torch, onnx, matlab.", show_default="folder", group=OUTPUT)
    ] = "folder",
    output: Annotated[
        Path | None, output("File or folder to write.", "named after MODEL, in the working directory")
    ] = None,
    force: Annotated[bool, flag("Replace existing files.", OUTPUT)] = False,
    quiet: Annotated[bool, flag("Print the paths only.", OUTPUT)] = False,
) -> int:
    """Write a model for PyTorch, ONNX or MATLAB.

    The formats:
    folder: weights, config, vocabulary and model card, as on Hugging Face.
    torch: the state_dict of an nn.RNN, LSTM or GRU as safetensors.
    onnx: from ids and state to log-probabilities and the next state.
    matlab: the struct RNN and a function that samples from it.

    The paths of the written files go to stdout, one per line.
    """
    from recurra.api import model_exchange
    from recurra.cli.terminal import escape_for_stdout, print_stderr, write_text
    from recurra.formatting import sanitize

    origin, _, written = model_exchange.export_files(model, output, format=format, force=force)
    if not quiet:
        print_stderr(*(f"{name:13}  {sanitize(value)}" for name, value in origin.facts.items()))
    write_text("".join(f"{escape_for_stdout(str(path))}\n" for path in written))
    return 0
