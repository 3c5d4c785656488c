"""`recurra import`: a model of another program."""

from pathlib import Path
from typing import Annotated

from cyclopts import App, Group, Parameter

from recurra.cli.options import OUTPUT, flag, output, path, text

EXAMPLES = """\
Examples:
  recurra import kjv-model -o kjv.safetensors       an exported folder
  recurra import lstm.safetensors --text book.txt   a state_dict of PyTorch
  recurra import gru.safetensors --vocabulary ids.json
  recurra import RNN.mat                            the struct RNN of DD2424 assignment 4
  recurra import RNN.npz --text book.txt            the same, of NumPy
  recurra import lstm.pt --converter > convert.py   a script that converts it"""
CHARACTERS = Group("Which characters", sort_key=1)
MODULES = Group("Which modules", sort_key=2)

app = App(name="import", usage="Usage: recurra import FILE [OPTIONS]", help_epilogue=EXAMPLES)


def option(help: str, group: Group, default: str | None = None, names: list[str] | None = None) -> Parameter:
    """An option with a word."""
    shown = False if default is None else default
    return Parameter(name=names, converter=text, help=help, show_default=shown, group=group)


@app.default
def import_model(
    file: Annotated[Path, Parameter(name="FILE", converter=path, help="A folder, a .safetensors, .npz or .mat file.")],
    /,
    *,
    vocabulary: Annotated[
        str | None,
        option("A JSON file: a string or list of characters by id, or an object. Or: bytes.", CHARACTERS),
    ] = None,
    text: Annotated[
        list[str] | None,
        Parameter(help="A text with just the network's characters: their order.", show_default=False, group=CHARACTERS),
    ] = None,
    encoding: Annotated[
        str, option("Of that text: any codec that Python knows, or `bytes`.", CHARACTERS, "utf-8")
    ] = "utf-8",
    activation: Annotated[
        str | None, option("Of an nn.RNN: tanh or relu; a file does not say it.", MODULES, "tanh")
    ] = None,
    recurrent: Annotated[str | None, option("The name of the nn.RNN, LSTM or GRU.", MODULES)] = None,
    projection: Annotated[str | None, option("The name of the nn.Linear.", MODULES)] = None,
    embedding: Annotated[str | None, option("The name of an nn.Embedding before it.", MODULES)] = None,
    output: Annotated[Path | None, output("The model file to write.", "FILE-imported.safetensors, here")] = None,
    force: Annotated[bool, flag("Replace a file that is there.", OUTPUT)] = False,
    converter: Annotated[bool, flag("Print a script that converts a FILE that is not read.", OUTPUT)] = False,
    quiet: Annotated[bool, flag("Say nothing but the path.", OUTPUT)] = False,
) -> int:
    """Make a model of what another program has written.

    An nn.RNN, LSTM or GRU with an nn.Linear, perhaps after an nn.Embedding,
    whose state_dict was saved as safetensors or as .npz; U, W, V, b and c (or
    Wxh, Whh, Why, bh and by) of MATLAB or NumPy; and what `recurra export`
    writes, but for ONNX. The result can be used wherever a MODEL is wanted.
    No code in a file is run: a pickle (.pt, .pth, .pkl) and a model of Keras
    are refused, and --converter prints the script that converts them where
    PyTorch or Keras is installed.
    """
    from recurra.api import model_exchange
    from recurra.cli.terminal import escape_for_stdout, notices, print_stderr, write_text
    from recurra.interop import converter as converters
    from recurra.interop.origin import origin_of

    if converter:
        write_text(converters.script(file))
        return 0

    target = output or Path(f"{file.absolute().stem}-imported.safetensors")
    with notices(quiet=quiet):
        model = model_exchange.import_model(
            file,
            vocabulary=vocabulary,
            sources=text,
            encoding=encoding,
            activation=activation,
            recurrent=recurrent,
            projection=projection,
            embedding=embedding,
            output=target,
            force=force,
        )
    if not quiet:
        print_stderr(*(f"{name:13}  {value}" for name, value in origin_of(model).facts.items()))
    write_text(f"{escape_for_stdout(str(target))}\n")
    return 0
