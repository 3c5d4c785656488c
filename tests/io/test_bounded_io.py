"""Reads of untrusted files: only regular files, and at most the allowed number of bytes and values."""

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


def test_read_returns_whole_file_up_to_limit(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"12345")
    assert read(tmp_path / "file", 5) == b"12345"
    with pytest.raises(OSError, match="it has more than 4 bytes"):
        read(tmp_path / "file", 4)
    (tmp_path / "link").symlink_to("file")
    assert read(tmp_path / "link", 5) == b"12345"


def test_lines_keep_line_ends_and_obey_limit(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"1\n\n23\n4")
    assert list(lines(tmp_path / "file", 3)) == [b"1\n", b"\n", b"23\n", b"4"]
    with pytest.raises(OSError, match="a line has more than 2 bytes"):
        list(lines(tmp_path / "file", 2))


@pytest.mark.parametrize("name", ["/dev/zero", "/dev/null", "/dev/tty", "pipe"])
def test_devices_and_pipes_are_refused_without_blocking(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe")
    before = set(Path("/proc/self/fd").glob("*"))
    with pytest.raises(OSError, match=r"it is not a regular file|No such device"):
        open_regular(Path(name))
    assert len(set(Path("/proc/self/fd").glob("*"))) == len(before), "nothing is left open"


@settings(max_examples=50)
@given(st.recursive(plain | keys, lambda inner: st.lists(inner) | st.dictionaries(keys, inner), max_leaves=20))
def test_json_round_trip(value: Any) -> None:
    assert parse_json(json.dumps(value).encode()) == value


@pytest.mark.parametrize("text", ["NaN", "[Infinity]", '{"a": -Infinity}'])
def test_nan_and_infinity_raise_in_strict_json(text: str) -> None:
    with pytest.raises(ValueError, match=r"(Infinity|NaN) is not a finite number"):
        parse_json(text.encode())
    assert "None" in str(parse_json(text.encode(), strict=False))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1e999", "1e999 is not a finite number"),
        ('{"a": 1, "a": 2}', "an object has a duplicate name"),
        ("[" * 100_000, "it is nested too deeply"),
        ("{}{}", "Extra data"),
        ("9" * 5000, "Exceeds the limit"),
        ("", "Expecting value"),
    ],
)
def test_invalid_json_raises(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_json(text.encode())


def test_number_of_values_is_checked_before_parsing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded_io, "MAX_VALUES", 3)
    assert parse_json(b"[1,2,3]") == [1, 2, 3]
    assert parse_toml(b'a = "x,y,z,=,[,{"\n') == {"a": "x,y,z,=,[,{"}
    for parse, text in ((parse_json, b"[1,2,3,4]"), (parse_toml, b"a = 1\nb = 2\nc = 3\nd = 4\n")):
        with pytest.raises(ValueError, match="it has more than 3 values"):
            parse(text)


@settings(max_examples=50)
@given(tables)
def test_toml_round_trip(table: dict[str, Any]) -> None:
    written = tomli_w.dumps({"a": table, "b": list(table)}).encode()
    assert tomli_w.dumps(parse_toml(written)).encode() == written


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a = 'x'", "strings must be in plain double quotes"),
        ('a = """x"""', "strings must be in plain double quotes"),
        ("a" + ".a" * 101 + " = 1", "a key has too many parts"),
        ('"a"' + '."a"' * 101 + " = 1", "a key has too many parts"),
        ("a = " + "[" * 100_000, "it is nested too deeply"),
        ("a = \xff", "Invalid|can't decode"),
    ],
)
def test_unsupported_toml_raises(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_toml(text.encode("latin-1"))
