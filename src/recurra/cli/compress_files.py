"""What `recurra compress` and `recurra decompress` share: files in and out, progress, and what is told at the end."""

from __future__ import annotations

import contextlib
import os
import secrets
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, BinaryIO, Self

from cyclopts import Group, Parameter

from recurra.cli.options import OUTPUT, flag, output, text
from recurra.errors import RecurraError, TextError, UsageError
from recurra.formatting import inert, plural
from recurra.io import atomic_write
from recurra.system.shell import path_argument

if TYPE_CHECKING:
    from recurra.compression.container import Target
    from recurra.compression.model_codec import Escapes

STDIO = "-"
SUFFIX = ".rcra"
RETURN, MARK = "\r", "\ufeff"
NAMES = {RETURN: "carriage return", MARK: "byte order mark"}
HOW = Group("How", sort_key=1)
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


def without_suffix(name: str) -> str:
    """The file that the compressed file `name` becomes; UsageError where its name does not say so."""
    if name == STDIO:
        return STDIO
    if not name.endswith(SUFFIX) or not Path(name).stem:
        raise UsageError(f"`{name}` does not end in {SUFFIX}: its own name is not known.", hint="give `-o FILE`.")
    return name.removesuffix(SUFFIX)


@contextlib.contextmanager
def source(name: str) -> Iterator[BinaryIO]:
    """The file `name`, or standard input, to be read once."""
    if name == STDIO:
        if sys.stdin is None or sys.stdin.closed:
            raise TextError("standard input is closed: there is nothing to read.")
        yield sys.stdin.buffer
        return
    if Path(name).is_dir():
        from recurra.text.model_files import require_texts  # loads NumPy, which a page of help does not wait for

        require_texts(
            [Path(name)], lambda run: f"`recurra export {path_argument(run)}` writes its model for other programs."
        )
        raise TextError(f"`{name}` is a folder; a file is expected.", hint="`tar` makes one file of a folder.")
    try:
        file = Path(name).open("rb")  # noqa: SIM115 - closed below; only opening may raise here
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise TextError(f"cannot read `{name}`: {reason}.") from error
    with file:
        yield file


@contextlib.contextmanager
def target(name: str, *, force: bool) -> Iterator[Target]:
    """What is to be written: standard output, or a file that appears under `name` when all of it is there."""
    if name == STDIO:
        yield _StandardOutput()
        return
    path = Path(name)
    if path.exists() and not force:
        raise UsageError(f"`{path}` is there already.", hint="give another `-o`, or `--force` to replace it.")
    staged = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}")
    try:
        with staged.open("xb") as file:
            yield file
        staged.replace(path)
    except RecurraError:
        raise
    except OSError as error:
        raise atomic_write.failure(path, error, atomic_write.OUTPUT_PLACE) from error
    finally:
        with contextlib.suppress(OSError):
            staged.unlink()


def warn_of_line_ends(escapes: Escapes, model: str, name: str, there: str) -> None:
    """Warn if carriage returns or a byte order mark took much space because the model does not know them."""
    found = [character for character in (RETURN, MARK) if escapes.counts[character]]
    if not found:
        return
    from recurra.cli.terminal import warn

    text = "standard input" if name == STDIO else f"`{name}`"
    parts = [f"{plural(escapes.counts[one], NAMES[one])} ({escapes.bytes_of(one):,} bytes)" for one in found]
    into = "" if there == STDIO else f" -o {path_argument(there)}"
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


class _StandardOutput:
    """Standard output, as a file that is only written to."""

    def write(self, data: bytes) -> int:
        from recurra.cli.terminal import write

        write(data)
        return len(data)


class Progress:
    """Told of bytes read and written: a line on a terminal that is written over, and the figures at the end.

    In a `with` block, at whose end the line is left for good.
    """

    def __init__(self, *, quiet: bool, restoring: bool = False) -> None:
        from recurra.cli.terminal import can_move, redraw

        self._redraw = redraw
        self._restoring = restoring
        self._shown = not quiet and can_move(sys.stderr)
        self._started = time.perf_counter()
        self.read = self.written = 0

    def __call__(self, read: int, written: int) -> None:
        self.read, self.written = read, written
        if self._shown:
            self._redraw(self._line())

    @property
    def seconds(self) -> float:
        """Since the beginning."""
        return time.perf_counter() - self._started

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._shown:
            self._redraw("")

    def figures(self, name: str) -> dict[str, Any]:
        """What `--json` tells."""
        return {
            "file": name,
            "bytes": self.read,
            "compressed_bytes": self.written,
            "bits_per_byte": 8 * self.written / self.read if self.read else None,
            "seconds": self.seconds,
        }

    def told(self, name: str) -> str:
        """Return the sizes and the time in a line."""
        return f"{inert(name)}: {self.read:,} bytes became {self.written:,}{self._share} in {self.seconds:.1f} s"

    @property
    def _share(self) -> str:
        """What is left of each byte that was compressed, in parentheses; nothing if there was none."""
        return f" ({self.written / self.read:.1%})" if self.read and not self._restoring else ""

    def _line(self) -> str:
        rate = self.read / self.seconds / 1000 if self.seconds else 0.0
        return f"{self.read:,} bytes read, {self.written:,} written, {rate:,.0f} kB/s"
