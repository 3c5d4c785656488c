"""`recurra import`: convert a model of another program."""

from pathlib import Path
from typing import Annotated

from cyclopts import App, Group, Parameter

from recurra.cli.options import OUTPUT, examples, flag, output, path, text

EXAMPLES = examples(
    "recurra import kjv-model -o kjv.safetensors       read an exported folder",
    "recurra import lstm.safetensors --text book.txt   read a PyTorch state_dict",
    "recurra import gru.safetensors --vocabulary ids.json",
    "recurra import RNN.mat                            read a struct of MATLAB",
    "recurra import RNN.npz --text book.txt            read arrays of NumPy",
    "recurra import lstm.pt --converter > convert.py   write a conversion script",
)
VOCABULARY_GROUP = Group("Vocabulary", sort_key=1)
MODULE_GROUP = Group("Modules of the network", sort_key=2)

app = App(name="import", usage="Usage: recurra import FILE [OPTIONS]", help_epilogue=EXAMPLES)


def option(help: str, group: Group, default: str | None = None, names: list[str] | None = None) -> Parameter:
    """Return the parameter of an option that takes one value; the help shows `default` as its default value."""
    return Parameter(name=names, converter=text, help=help, show_default=default or False, group=group)


@app.default
def import_model(
    file: Annotated[
        Path, Parameter(name="FILE", converter=path, help="A folder, or a .safetensors, .npz or .mat file.")
    ],
    /,
    *,
    vocabulary: Annotated[
        str | None,
        option(
            "JSON file with the characters in the order of their ids, as a string, list or object; or `bytes`.",
            VOCABULARY_GROUP,
        ),
    ] = None,
    text: Annotated[
        list[str] | None,
        Parameter(
            help="Text with exactly the network's characters; their sorted order gives the ids (may be repeated).",
            show_default=False,
            group=VOCABULARY_GROUP,
        ),
    ] = None,
    encoding: Annotated[
        str, option("Encoding of the text: any codec of Python, or `bytes`.", VOCABULARY_GROUP, "utf-8")
    ] = "utf-8",
    activation: Annotated[
        str | None, option("Activation of an nn.RNN, which files do not contain: tanh, relu.", MODULE_GROUP, "tanh")
    ] = None,
    recurrent: Annotated[str | None, option("Name of the nn.RNN, LSTM or GRU.", MODULE_GROUP)] = None,
    projection: Annotated[str | None, option("Name of the nn.Linear.", MODULE_GROUP)] = None,
    embedding: Annotated[
        str | None, option("Name of an nn.Embedding before the recurrent module.", MODULE_GROUP)
    ] = None,
    output: Annotated[Path | None, output("Model file to write.", "FILE-imported.safetensors")] = None,
    force: Annotated[bool, flag("Replace an existing file.", OUTPUT)] = False,
    converter: Annotated[
        bool, flag("Print a script that converts FILE into a format that recurra reads.", OUTPUT)
    ] = False,
    quiet: Annotated[bool, flag("Print the path only.", OUTPUT)] = False,
) -> int:
    """Convert a model that another program wrote.

    The command reads the state_dict of an nn.RNN, LSTM or GRU with an
    nn.Linear and perhaps an nn.Embedding, saved as safetensors or .npz;
    the arrays U, W, V, b and c (or Wxh, Whh, Why, bh and by) of MATLAB or
    NumPy; and the output of `recurra export`, except ONNX.
    Every command that takes a MODEL reads the result.

    The command runs no code from a file. It therefore refuses pickles (.pt,
    .pth, .pkl) and Keras models; --converter prints a script that converts
    them on a machine that has PyTorch or Keras.
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
