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
        bool, flag("No model: a small network learns the file as it is compressed.", compress_files.HOW)
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
    from recurra.cli.terminal import say, write_json
    from recurra.compression import adaptive as learning
    from recurra.compression import model_codec as modelled
    from recurra.errors import UsageError
    from recurra.runs.saved_model import load

    model, name = compress_files.model_and_file(texts, adaptive=adaptive)
    there = output or (compress_files.STDIO if name == compress_files.STDIO else name + compress_files.SUFFIX)
    if json and there == compress_files.STDIO:
        raise UsageError("`--json` and the compressed file both go to standard output.", hint="give `-o FILE`.")
    loaded = None if model is None else load(model)
    progress = compress_files.Progress(quiet=quiet)
    escapes = None
    with progress, compress_files.source(name) as source, compress_files.target(there, force=force) as target:
        if loaded is None:
            learning.compress(source, target, progress)
        else:
            escapes = modelled.compress(loaded, source, target, progress)
    if model is not None and escapes is not None and not quiet:
        compress_files.warn_of_line_ends(escapes, model, name, there)
    if json:
        write_json(progress.figures(there))
    elif not quiet and there != compress_files.STDIO:
        say(progress.told(there))
    return 0
