"""Reading what anyone may have written: regular files alone, and no more than was agreed."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from hypothesis import given, settings
from hypothesis import strategies as st

from recurra.io import bounded_io
from recurra.io.bounded_io import lines, open_regular, parse_json, parse_toml, read

plain = st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False, allow_infinity=False)
keys = st.text(st.characters(exclude_categories=["Cs"]))
tables = st.dictionaries(keys, st.recursive(keys | st.floats() | st.integers(-99, 99), st.lists, max_leaves=9))


def test_a_file_is_read_whole_up_to_its_limit(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"12345")
    assert read(tmp_path / "file", 5) == b"12345"
    with pytest.raises(OSError, match="it has more than 4 bytes"):
        read(tmp_path / "file", 4)
    (tmp_path / "link").symlink_to("file")
    assert read(tmp_path / "link", 5) == b"12345"


def test_lines_have_their_ends_and_a_limit(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"1\n\n23\n4")
    assert list(lines(tmp_path / "file", 3)) == [b"1\n", b"\n", b"23\n", b"4"]
    with pytest.raises(OSError, match="a line has more than 2 bytes"):
        list(lines(tmp_path / "file", 2))


@pytest.mark.parametrize("name", ["/dev/zero", "/dev/null", "/dev/tty", "pipe"])
def test_what_is_no_file_is_refused_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe")
    before = set(Path("/proc/self/fd").glob("*"))
    with pytest.raises(OSError, match=r"it is no regular file|No such device"):
        open_regular(Path(name))
    assert len(set(Path("/proc/self/fd").glob("*"))) == len(before), "nothing is left open"


@settings(max_examples=50)
@given(st.recursive(plain | keys, lambda inner: st.lists(inner) | st.dictionaries(keys, inner), max_leaves=20))
def test_json_is_what_was_written(value: Any) -> None:
    assert parse_json(json.dumps(value).encode()) == value


@pytest.mark.parametrize("text", ["NaN", "[Infinity]", '{"a": -Infinity}'])
def test_numbers_that_json_has_not(text: str) -> None:
    with pytest.raises(ValueError, match=r"(Infinity|NaN) is no finite number"):
        parse_json(text.encode())
    assert "None" in str(parse_json(text.encode(), strict=False))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1e999", "1e999 is no finite number"),
        ('{"a": 1, "a": 2}', "a name comes twice in one object"),
        ("[" * 100_000, "it is nested too deeply"),
        ("{}{}", "Extra data"),
        ("9" * 5000, "Exceeds the limit"),
        ("", "Expecting value"),
    ],
)
def test_json_that_is_refused(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_json(text.encode())


def test_values_are_counted_before_they_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded_io, "MOST_VALUES", 3)
    assert parse_json(b"[1,2,3]") == [1, 2, 3]
    assert parse_toml(b'a = "x,y,z,=,[,{"\n') == {"a": "x,y,z,=,[,{"}
    for parse, text in ((parse_json, b"[1,2,3,4]"), (parse_toml, b"a = 1\nb = 2\nc = 3\nd = 4\n")):
        with pytest.raises(ValueError, match="it has more than 3 values"):
            parse(text)


@settings(max_examples=50)
@given(tables)
def test_whatever_is_written_as_toml_is_read(table: dict[str, Any]) -> None:
    written = tomli_w.dumps({"a": table, "b": list(table)}).encode()
    assert tomli_w.dumps(parse_toml(written)).encode() == written


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a = 'x'", "other quotes than plain double ones are not read"),
        ('a = """x"""', "other quotes than plain double ones are not read"),
        ("a" + ".a" * 101 + " = 1", "a key has too many parts"),
        ('"a"' + '."a"' * 101 + " = 1", "a key has too many parts"),
        ("a = " + "[" * 100_000, "it is nested too deeply"),
        ("a = \xff", "Invalid|can't decode"),
    ],
)
def test_toml_that_is_refused(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_toml(text.encode("latin-1"))
