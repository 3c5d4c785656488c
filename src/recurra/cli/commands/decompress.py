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
    adaptive: Annotated[bool, flag("It was compressed without a model.", compress_files.HOW_GROUP)] = False,
    salvage: Annotated[bool, flag("Leave out damaged parts, name them, and write the others.", OUTPUT)] = False,
    force: Annotated[bool, compress_files.FORCE] = False,
    quiet: Annotated[bool, flag("Say nothing but what is damaged.", OUTPUT)] = False,
) -> int:
    """Decompress a file.

    Nothing is written that is not proved to be as it was: a file appears when
    all of it is right, and to standard output goes block after block.
    """
    from recurra.api import file_compression
    from recurra.cli.terminal import print_stderr
    from recurra.errors import CompressedFileError

    model, name = compress_files.model_and_file(texts, adaptive=adaptive)
    source, target = compress_files.source(name), compress_files.target(output, name)
    with compress_files.progress(quiet=quiet) as progress:
        done = file_compression.decompress(source, target, model=model, salvage=salvage, force=force, progress=progress)
    if not quiet and done.path is not None:
        print_stderr(compress_files.line(done, with_share=False))
    return CompressedFileError.exit_code if done.damaged else 0
