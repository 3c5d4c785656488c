"""The entry of a file format in `format_registry`: how a model is written in it, and how one is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from recurra.interop.symbols import Symbols
from recurra.interop.torch_names import Names
from recurra.interop.torch_state import Network

if TYPE_CHECKING:
    from recurra.interop.origin import Origin
    from recurra.model import LanguageModel
    from recurra.text.reading import Source


class Options(NamedTuple):
    """Facts that a file may leave open: its characters, from a JSON file or the text that was learned; the names of its
    modules; and the activation of an nn.RNN.
    """

    vocabulary: str | Path | None = None
    sources: Source | Sequence[Source] | None = None
    encoding: str = "utf-8"
    names: Names = Names()
    activation: str | None = None

    @property
    def has_characters(self) -> bool:
        """True if the user gives the characters."""
        return self.vocabulary is not None or self.sources is not None


class Imported(NamedTuple):
    """A network that was read, the characters of its ids if the file has them, and how it reads documents."""

    network: Network
    symbols: Symbols | None = None
    documents: str | None = None


def single_path(path: Path) -> list[Path]:
    """The files of an export that is one file."""
    return [path]


class FileFormat(NamedTuple):
    """A file format of another program.

    name       the value of `recurra export --format`
    suffix     the end of the default path of an export
    targets    return the files that an export to a path writes; raise UsageError if the path cannot be used
    contents   return the bytes of each of these files; None if the format is only read
    kind       the kind of the format's files in `file_kinds`; None if the format is only written
    read       return the model in a file, or its network alone where the user may have to give the characters
    """

    name: str
    suffix: str = ""
    targets: Callable[[Path], list[Path]] = single_path
    contents: Callable[[Origin, Path], Mapping[Path, bytes]] | None = None
    kind: str | None = None
    read: Callable[[Path, Options], LanguageModel | Imported] | None = None
