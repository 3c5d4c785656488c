"""`recurra compress`: a file made small by a model, or by a network that learns as it goes."""

from typing import Annotated

from cyclopts import App

from recurra.cli import compress_files
from recurra.cli.options import OUTPUT, flag

EXAMPLES = """\
Examples:
  recurra compress runs/kjv book.txt            writes book.txt.rcra
  recurra compress --adaptive book.txt          without a model
  tar c notes | recurra compress --adaptive - -o notes.tar.rcra"""

app = App(name="compress", usage="Usage: recurra compress [MODEL] FILE [OPTIONS]", help_epilogue=EXAMPLES)


@app.default
def compress(
    *texts: Annotated[
        str,
        compress_files.files("A run's folder or a checkpoint, and the file to compress; - reads standard input."),
    ],
    output: Annotated[str | None, compress_files.written("FILE.rcra")] = None,
    adaptive: Annotated[
        bool, flag("No model: a small network learns the file as it is compressed.", compress_files.HOW_GROUP)
    ] = False,
    force: Annotated[bool, compress_files.FORCE] = False,
    json: Annotated[bool, flag("The figures as one JSON object on stdout.", OUTPUT)] = False,
    quiet: Annotated[bool, flag("Say nothing.", OUTPUT)] = False,
) -> int:
    """Compress a file without loss.

    Any file can be compressed by any model, and best a text like the one that
    it learned. Only the same model gives the file back. What was compressed
    here can be decompressed on any other machine.
    """
    from recurra.api import file_compression
    from recurra.cli.terminal import print_stderr, write_json
    from recurra.errors import UsageError

    model, name = compress_files.model_and_file(texts, adaptive=adaptive)
    source, target = compress_files.source(name), compress_files.target(output, name)
    if json and not isinstance(target, str | None):
        raise UsageError("`--json` and the compressed file both go to standard output.", hint="give `-o FILE`.")
    with compress_files.progress(quiet=quiet) as progress:
        done = file_compression.compress(source, target, model=model, force=force, progress=progress)
    there = None if done.path is None else str(done.path)
    if model is not None and done.escapes is not None and not quiet:
        compress_files.warn_of_line_ends(done.escapes, model, name, there)
    if json:
        write_json(compress_files.figures(done))
    elif not quiet and there is not None:
        print_stderr(compress_files.line(done))
    return 0
