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
RETURN, MARK = "\r", "\ufeff"
CHARACTER_NAMES = {RETURN: "carriage return", MARK: "byte order mark"}
HOW_GROUP = Group("How", sort_key=1)
FORCE = flag("Replace a file that is there.", OUTPUT)


def files(help: str) -> Parameter:
    """The model, where there is one, and the file."""
    return Parameter(name="MODEL", allow_leading_hyphen=True, converter=text, help=help)


def written(default: str) -> Parameter:
    """The file to write, by default that which is named so."""
    help = "The file to write, or - for standard output."
    return output(help, default, converter=text, allow_leading_hyphen=True)


def model_and_file(arguments: Sequence[str], *, adaptive: bool) -> tuple[str | None, str]:
    """The model, None with `adaptive`, and the file; UsageError for any other number of arguments."""
    wanted = 1 if adaptive else 2
    if len(arguments) > wanted:
        hint = "with `--adaptive` there is no model." if adaptive else None
        raise UsageError(f"`{arguments[wanted]}` is one argument too many.", hint=hint)
    if not arguments:
        raise UsageError("FILE is missing.", hint="give a file, or - for standard input.")
    if len(arguments) < wanted:
        raise UsageError(
            f"a model and a file are wanted; got only `{arguments[0]}`.", hint="`--adaptive` does without a model."
        )
    return (None, arguments[0]) if adaptive else (arguments[0], arguments[1])


def source(name: str) -> Any:
    """Return the file `name` as the API takes it: its path, or for - the file object of standard input."""
    if name != STDIO:
        return name
    if sys.stdin is None or sys.stdin.closed:
        raise TextError("standard input is closed: there is nothing to read.")
    return sys.stdin.buffer


def target(name: str | None, source: str) -> Any:
    """Return the file to write as the API takes it; standard output if `source` is standard input, unless named."""
    is_output = name == STDIO or (name is None and source == STDIO)
    return _StandardOutput() if is_output else name


def warn_of_line_ends(escapes: Escapes, model: str, name: str, there: str | None) -> None:
    """Warn if carriage returns or a byte order mark took much space because the model does not know them."""
    found = [character for character in (RETURN, MARK) if escapes.counts[character]]
    if not found:
        return
    from recurra.cli.terminal import warn

    text = "standard input" if name == STDIO else f"`{name}`"
    parts = [f"{plural(escapes.counts[one], CHARACTER_NAMES[one])} ({escapes.bytes_of(one):,} bytes)" for one in found]
    into = "" if there is None else f" -o {path_argument(there)}"
    read = "" if name == STDIO else f" < {path_argument(name)}"
    replaced = f"sed '{'; '.join(_sed(one, escapes) for one in found)}'{read}"
    warn(
        f"{text} has {' and '.join(parts)}, which the model's vocabulary does not have: each takes "
        f"{' or '.join(str(escapes.bytes_of(one) // escapes.counts[one]) for one in found)} bytes.",
        f"to keep the text without them: `{replaced} | recurra compress {path_argument(model)} -{into} --force`.",
    )


def _sed(character: str, escapes: Escapes) -> str:
    """The command of sed that takes out a mark, or the CR of CRLF, or makes of each CR a line end."""
    if character == MARK:
        return r"1s/^\xEF\xBB\xBF//"
    return r"s/\r$//" if 2 * escapes.crlf > escapes.counts[RETURN] else r"s/\r/\n/g"


class _StandardOutput(io.RawIOBase):
    """Standard output, as a file that is only written to."""

    def write(self, data: Any, /) -> int:
        from recurra.cli.terminal import write

        write(bytes(data))
        return len(data)


@contextlib.contextmanager
def progress(*, quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """Show the bytes that were read and written, in place on a terminal; nothing of it stays."""
    from recurra.cli.terminal import can_move, redraw

    shown, started = not quiet and can_move(sys.stderr), time.perf_counter()

    def show(read: int, written: int) -> None:
        seconds = time.perf_counter() - started
        rate = read / seconds / 1000 if seconds else 0.0
        if shown:
            redraw(f"{read:,} bytes read, {written:,} written, {rate:,.0f} kB/s")

    try:
        yield show
    finally:
        if shown:
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
    """Return the sizes and the time in a line, with the share that is left of each byte that was compressed."""
    read, written = done.bytes_read, done.bytes_written
    share = f" ({written / read:.1%})" if read and with_share else ""
    return f"{sanitize(str(done.path))}: {read:,} bytes became {written:,}{share} in {done.seconds:.1f} s"
