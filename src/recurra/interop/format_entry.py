"""The entry of a file format in `format_registry`: the functions that write and read a model in the format."""

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
    """Facts that a file may lack.

    Attributes:
        vocabulary: JSON file with the character of each id.
        sources: the training text, whose sorted characters are those of the ids.
        encoding: encoding of the text.
        names: names of the modules.
        activation: activation of an nn.RNN.
    """

    vocabulary: str | Path | None = None
    sources: Source | Sequence[Source] | None = None
    encoding: str = "utf-8"
    names: Names = Names()
    activation: str | None = None

    @property
    def has_characters(self) -> bool:
        """True if the user gives the characters of the ids."""
        return self.vocabulary is not None or self.sources is not None


class Imported(NamedTuple):
    """An imported network, the characters of its ids if the file has them, and its treatment of documents."""

    network: Network
    symbols: Symbols | None = None
    documents: str | None = None


def single_path(path: Path) -> list[Path]:
    """Return the paths of a format that has a single file."""
    return [path]


class FileFormat(NamedTuple):
    """A file format of another program.

    Attributes:
        name: value of `recurra export --format`.
        suffix: end of the default path of an export.
        targets: return the paths that an export to a path writes; raise UsageError if the path is not usable.
        contents: return the bytes of each of these files; None if the format has no export.
        kind: kind of the format's files in `file_kinds`; None if the format has no import.
        read: return the model in a file, or the network alone if the file may lack the characters.
    """

    name: str
    suffix: str = ""
    targets: Callable[[Path], list[Path]] = single_path
    contents: Callable[[Origin, Path], Mapping[Path, bytes]] | None = None
    kind: str | None = None
    read: Callable[[Path, Options], LanguageModel | Imported] | None = None
