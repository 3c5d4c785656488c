"""`recurra decompress`: restore a file that `recurra compress` wrote."""

from typing import Annotated

from cyclopts import App

from recurra.cli import compress_files
from recurra.cli.options import OUTPUT, examples, flag

EXAMPLES = examples(
    "recurra decompress runs/kjv book.txt.rcra     write book.txt",
    "recurra decompress --adaptive notes.tar.rcra -o - | tar x",
)

app = App(name="decompress", usage="Usage: recurra decompress [MODEL] FILE [OPTIONS]", help_epilogue=EXAMPLES)


@app.default
def decompress(
    *texts: Annotated[
        str,
        compress_files.files("The model that compressed the file, then the compressed file; - is standard input."),
    ],
    output: Annotated[str | None, compress_files.output_file("FILE without .rcra")] = None,
    adaptive: Annotated[
        bool, flag("Use no model: the file was compressed with --adaptive.", compress_files.METHOD_GROUP)
    ] = False,
    salvage: Annotated[bool, flag("Skip damaged parts with a warning, and write the others.", OUTPUT)] = False,
    force: Annotated[bool, compress_files.FORCE] = False,
    quiet: Annotated[bool, flag("Print errors and damaged parts only.", OUTPUT)] = False,
) -> int:
    """Decompress a file.

    Every block is verified by its checksum before it is written. A file
    appears only when all blocks are right; standard output gets each block
    as soon as it is verified.
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
