"""`recurra decompress`: what `recurra compress` made small, whole again."""

from typing import Annotated

from cyclopts import App

from recurra.cli import compress_files
from recurra.cli.options import OUTPUT, flag

EXAMPLES = """\
Examples:
  recurra decompress runs/kjv book.txt.rcra     writes book.txt
  recurra decompress --adaptive notes.tar.rcra -o - | tar x"""

app = App(name="decompress", usage="Usage: recurra decompress [MODEL] FILE [OPTIONS]", help_epilogue=EXAMPLES)


@app.default
def decompress(
    *texts: Annotated[
        str,
        compress_files.files("The model that it was compressed with, and the compressed file; - reads standard input."),
    ],
    output: Annotated[str | None, compress_files.written("FILE without .rcra")] = None,
    adaptive: Annotated[bool, flag("It was compressed without a model.", compress_files.HOW)] = False,
    salvage: Annotated[bool, flag("Leave out damaged parts, name them, and write the others.", OUTPUT)] = False,
    force: Annotated[bool, compress_files.FORCE] = False,
    quiet: Annotated[bool, flag("Say nothing but what is damaged.", OUTPUT)] = False,
) -> int:
    """Decompress a file.

    Nothing is written that is not proved to be as it was: a file appears when
    all of it is right, and to standard output goes block after block.
    """
    from recurra.cli.terminal import paint, say
    from recurra.compression import adaptive as learning
    from recurra.compression import model_codec as modelled
    from recurra.errors import CompressedFileError
    from recurra.runs.saved_model import load

    model, name = compress_files.model_and_file(texts, adaptive=adaptive)
    there = output or compress_files.without_suffix(name)
    loaded = None if model is None else load(model)
    found: list[CompressedFileError] = []

    def damaged(error: CompressedFileError) -> None:
        found.append(error)
        say(f"{paint('warning:', 'yellow')} {error.message} It is left out.")

    progress = compress_files.Progress(quiet=quiet, restoring=True)
    told = damaged if salvage else None
    with progress, compress_files.source(name) as source, compress_files.target(there, force=force) as target:
        if loaded is None:
            learning.decompress(source, target, progress, told)
        else:
            modelled.decompress(loaded, source, target, progress, told)
    if not quiet and there != compress_files.STDIO:
        say(progress.told(there))
    return CompressedFileError.exit_code if found else 0
