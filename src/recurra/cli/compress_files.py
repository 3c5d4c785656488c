"""The arguments, the standard streams and the printed figures of `recurra compress` and `recurra decompress`."""

from __future__ import annotations

import contextlib
import io
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from cyclopts import Group, Parameter

from recurra.cli.options import OUTPUT, flag, output, text
from recurra.errors import TextError, UsageError
from recurra.formatting import plural, sanitize
from recurra.system.shell import path_argument

if TYPE_CHECKING:
    from recurra.api.file_compression import FileConversion
    from recurra.compression.model_codec import Escapes

STDIO = "-"
RETURN, BYTE_ORDER_MARK = "\r", "\ufeff"
CHARACTER_NAMES = {RETURN: "carriage return", BYTE_ORDER_MARK: "byte order mark"}
METHOD_GROUP = Group("Method", sort_key=1)
FORCE = flag("Replace an existing file.", OUTPUT)


def files(help: str) -> Parameter:
    """Return the parameter of the model (absent with `--adaptive`) and the file."""
    return Parameter(name="MODEL", allow_leading_hyphen=True, converter=text, help=help)


def output_file(default: str) -> Parameter:
    """Return the parameter of the file to write; `default` describes its default value in the help."""
    return output("File to write; - is standard output.", default, converter=text, allow_leading_hyphen=True)


def model_and_file(arguments: Sequence[str], *, adaptive: bool) -> tuple[str | None, str]:
    """Return the model (None with `adaptive`) and the file; UsageError for a wrong number of arguments."""
    count = 1 if adaptive else 2
    if len(arguments) > count:
        hint = "with `--adaptive` give a file and no model." if adaptive else "give a model and one file."
        raise UsageError(f"`{arguments[count]}` is one argument too many.", hint=hint)
    if not arguments:
        raise UsageError("FILE is missing.", hint="name a file, or - for standard input.")
    if len(arguments) < count:
        raise UsageError(
            f"a model and a file are expected; got only `{arguments[0]}`.",
            hint=f"to compress without a model, use `--adaptive {path_argument(arguments[0])}`.",
        )
    return (None, arguments[0]) if adaptive else (arguments[0], arguments[1])


def source(name: str) -> Any:
    """Return the source for the API: the path `name`, or for - the file object of standard input."""
    if name != STDIO:
        return name
    if sys.stdin is None or sys.stdin.closed:
        raise TextError("standard input is closed.")
    return sys.stdin.buffer


def target(name: str | None, source: str) -> Any:
    """Return the target for the API; without a `name`, standard output if `source` is standard input."""
    is_output = name == STDIO or (name is None and source == STDIO)
    return _StandardOutput() if is_output else name


def warn_of_line_ends(escapes: Escapes, model: str, name: str, output_path: str | None) -> None:
    """Warn if the vocabulary lacks the carriage returns or the byte order mark of the text, which cost many bytes."""
    unknown = [character for character in (RETURN, BYTE_ORDER_MARK) if escapes.counts[character]]
    if not unknown:
        return
    from recurra.cli.terminal import warn

    text = "standard input" if name == STDIO else f"`{name}`"
    parts = [
        f"{plural(escapes.counts[character], CHARACTER_NAMES[character])} ({escapes.bytes_of(character):,} bytes)"
        for character in unknown
    ]
    into = "" if output_path is None else f" -o {path_argument(output_path)}"
    read = "" if name == STDIO else f" < {path_argument(name)}"
    replaced = f"sed '{'; '.join(_sed(character, escapes) for character in unknown)}'{read}"
    warn(
        f"{text} has {' and '.join(parts)}, which are not in the model's vocabulary; each takes "
        f"{' or '.join(str(escapes.bytes_of(character) // escapes.counts[character]) for character in unknown)} bytes.",
        f"to compress the text without them: `{replaced} | recurra compress {path_argument(model)} -{into} --force`.",
    )


def _sed(character: str, escapes: Escapes) -> str:
    """Return the sed command that removes the byte order mark or the CR of CRLF, or replaces each CR by a line end."""
    if character == BYTE_ORDER_MARK:
        return r"1s/^\xEF\xBB\xBF//"
    return r"s/\r$//" if 2 * escapes.crlf > escapes.counts[RETURN] else r"s/\r/\n/g"


class _StandardOutput(io.RawIOBase):
    """Standard output as a write-only binary file."""

    def write(self, data: Any, /) -> int:
        from recurra.cli.terminal import write

        write(bytes(data))
        return len(data)


@contextlib.contextmanager
def progress(*, quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """Yield a function that shows the numbers of bytes read and written; remove the line at the end."""
    from recurra.cli.terminal import can_move, redraw

    visible, started = not quiet and can_move(sys.stderr), time.perf_counter()

    def show(read: int, written: int) -> None:
        seconds = time.perf_counter() - started
        rate = read / seconds / 1000 if seconds else 0.0
        if visible:
            redraw(f"{read:,} bytes read, {written:,} written, {rate:,.0f} kB/s")

    try:
        yield show
    finally:
        if visible:
            redraw("")


def figures(done: FileConversion) -> dict[str, Any]:
    """Return the object of `--json`."""
    read, written = done.bytes_read, done.bytes_written
    return {
        "file": str(done.path),
        "bytes": read,
        "compressed_bytes": written,
        "bits_per_byte": 8 * written / read if read else None,
        "seconds": done.seconds,
    }


def line(done: FileConversion, *, with_share: bool = True) -> str:
    """Return a line with the sizes of both files, the compression ratio if `with_share`, and the time."""
    read, written = done.bytes_read, done.bytes_written
    share = f" ({written / read:.1%})" if read and with_share else ""
    return f"{sanitize(str(done.path))}: {read:,} bytes read, {written:,} bytes written{share} in {done.seconds:.1f} s"
