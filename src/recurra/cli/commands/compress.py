"""`recurra compress`: compress a file with a model, or with a network that learns from the file."""

from typing import Annotated

from cyclopts import App

from recurra.cli import compress_files
from recurra.cli.options import OUTPUT, examples, flag

EXAMPLES = examples(
    "recurra compress runs/kjv book.txt            write book.txt.rcra",
    "recurra compress --adaptive book.txt          use no model",
    "tar c notes | recurra compress --adaptive - -o notes.tar.rcra",
)

app = App(name="compress", usage="Usage: recurra compress [MODEL] FILE [OPTIONS]", help_epilogue=EXAMPLES)


@app.default
def compress(
    *texts: Annotated[
        str,
        compress_files.files(
            "The model (a run directory or a checkpoint file), then the file to compress; - is standard input."
        ),
    ],
    output: Annotated[str | None, compress_files.output_file("FILE.rcra")] = None,
    adaptive: Annotated[
        bool, flag("Use no model: a small network learns the file during compression.", compress_files.METHOD_GROUP)
    ] = False,
    force: Annotated[bool, compress_files.FORCE] = False,
    json: Annotated[bool, flag("Write the sizes as one JSON object to stdout.", OUTPUT)] = False,
    quiet: Annotated[bool, flag("Print errors only.", OUTPUT)] = False,
) -> int:
    """Compress a file without loss.

    A model compresses any file, and best a text like its training text. To
    decompress the file, you need the same model. Any machine restores the
    same bytes.
    """
    from recurra.api import file_compression
    from recurra.cli.terminal import print_stderr, write_json
    from recurra.errors import UsageError

    model, name = compress_files.model_and_file(texts, adaptive=adaptive)
    source, target = compress_files.source(name), compress_files.target(output, name)
    if json and not isinstance(target, str | None):
        raise UsageError("`--json` and the compressed file would both go to standard output.", hint="add `-o FILE`.")
    with compress_files.progress(quiet=quiet) as progress:
        done = file_compression.compress(source, target, model=model, force=force, progress=progress)
    path = None if done.path is None else str(done.path)
    if model is not None and done.escapes is not None and not quiet:
        compress_files.warn_of_line_ends(done.escapes, model, name, path)
    if json:
        write_json(compress_files.figures(done))
    elif not quiet and path is not None:
        print_stderr(compress_files.line(done))
    return 0
