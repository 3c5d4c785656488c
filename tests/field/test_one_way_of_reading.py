"""Every command decodes texts in the same way and has the same option `--encoding`."""

from __future__ import annotations

import gzip
import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from safetensors.numpy import load_file, save_file

import recurra
from recurra.cli import main

BOOK = "Un petit livre, déjà lu, écrit à l'été.\n" * 30
SMALL: dict[str, Any] = {"preset": "classic", "updates": 3, "hidden_size": 8, "proof": False, "report": False}


class Called(NamedTuple):
    """The exit code and the output of a command."""

    code: int
    out: str
    err: str


Call = Callable[..., Called]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A run on the characters and a run on the bytes of the same book."""
    folder = tmp_path_factory.mktemp("runs")
    book = folder / "book.txt"
    book.write_text(BOOK, encoding="utf-8")
    return {
        encoding: recurra.train(book, run=folder / encoding, encoding=encoding, **SMALL).folder
        for encoding in ("utf-8", "bytes")
    }


@pytest.fixture
def call(capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch) -> Call:
    """Call the command in this process, with `stdin` as its standard input."""

    def called(*arguments: object, stdin: bytes = b"") -> Called:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        code = main([str(argument) for argument in arguments])
        out, err = capfdbinary.readouterr()
        return Called(code, out.decode(), err.decode())

    return called


def prompt_of(called: Called) -> str:
    assert called.code == 0, called.err
    return str(json.loads(called.out)["prompt"])


@pytest.mark.parametrize("way", ["--prompt-file", "--prompt"])
def test_prompt_is_decoded_like_a_text(way: str, call: Call, runs: dict[str, Path]) -> None:
    def sampled(data: bytes, *options: str) -> Called:
        Path("p.txt").write_bytes(data)
        source = "p.txt" if way == "--prompt-file" else "-"
        return call("sample", runs["utf-8"], way, source, "--max-new-tokens", 3, "--json", *options, stdin=data)

    name = "p.txt" if way == "--prompt-file" else "standard input"
    marked = sampled("\ufeffdéjà\r\nlu\r".encode())
    assert prompt_of(marked) == "déjà\nlu\n"
    assert "warning" not in marked.err
    assert f"note: a byte order mark was removed from {name}" in marked.err
    assert f"note: line ends converted from CRLF or CR to LF: 2, in {name}" in marked.err
    assert prompt_of(sampled("déjà".encode("latin-1"), "--encoding", "latin-1")) == "déjà"
    assert prompt_of(sampled("déjà".encode("utf-16"), "--encoding", "utf-16")) == "déjà"
    wrong = sampled("déjà".encode("latin-1"))
    assert wrong.code == 3
    assert f"error: {name} is not utf-8: byte 0xe9 at offset 1, line 1" in wrong.err
    assert "hint: give its encoding, for example `--encoding latin-1`" in wrong.err
    packed = sampled(gzip.compress("déjà".encode()))
    assert packed.code == 3
    assert f"{name} is a gzip file, not plain text" in packed.err


def test_model_of_bytes_accepts_any_bytes_as_prompt(call: Call, runs: dict[str, Path]) -> None:
    data = b"\xef\xbb\xbf\xff\x00\r\n"
    Path("p.bin").write_bytes(data)
    found = json.loads(call("sample", runs["bytes"], "--prompt-file", "p.bin", "--temperature", 0, "--json").out)
    model = recurra.load(runs["bytes"])
    assert found["texts"] == [model.sample(data.decode("utf-8", "surrogateescape"), temperature=0)]
    Path("p.txt").write_bytes("déjà".encode("latin-1"))
    assert (
        prompt_of(call("sample", runs["bytes"], "--prompt-file", "p.txt", "--encoding", "latin-1", "--json")) == "déjà"
    )


def test_the_training_text_of_a_model_of_characters(call: Call, runs: dict[str, Path]) -> None:
    Path("utf-8.txt").write_text("é" * 50, encoding="utf-8")
    Path("latin.txt").write_text("é" * 50, encoding="latin-1")
    options = ("sample", runs["utf-8"], "--novelty", "--allow", "é", "--max-new-tokens", 8, "--json", "--training-text")
    wrong = call(*options, "latin.txt")
    assert (wrong.code, "`--encoding latin-1`" in wrong.err) == (3, True)
    for found in (call(*options, "utf-8.txt"), call(*options, "latin.txt", "--encoding", "latin-1")):
        assert json.loads(found.out)["novelty"][0]["longest"] == 8


def test_the_training_text_of_a_model_of_bytes_is_read_as_bytes(call: Call, runs: dict[str, Path]) -> None:
    (sample,) = recurra.load(runs["bytes"]).samples(max_new_tokens=20)
    Path("text.bin").write_bytes(b"\xff" + sample.symbols.encode("latin-1"))
    options = ("--max-new-tokens", 20, "--novelty", "--training-text", "text.bin", "--json")
    assert json.loads(call("sample", runs["bytes"], *options).out)["novelty"][0]["longest"] == 20


def test_an_encoding_without_anything_to_read_is_refused(call: Call, runs: dict[str, Path]) -> None:
    code, _, err = call("sample", runs["utf-8"], "--prompt", "a", "--encoding", "latin-1")
    assert code == 2
    assert "`--encoding` requires `--prompt-file`, `--prompt -` or `--training-text`." in err
    code, _, err = call("sample", runs["utf-8"], "--prompt", "-", "--encoding", "latin", stdin=b"a")
    assert code == 0
    assert call("sample", runs["utf-8"], "--prompt", "-", "--encoding", "rot13", stdin=b"a").code == 2


def test_prompt_file_is_a_path_and_may_be_empty(call: Call, runs: dict[str, Path]) -> None:
    code, _, err = call("sample", runs["utf-8"], "--prompt-file", "none")
    assert (code, "error: there is no file or folder none." in err) == (3, True)
    Path("kjv").write_text("livre")  # a file, not the book of that name
    assert prompt_of(call("sample", runs["utf-8"], "--prompt-file", "kjv", "--json")) == "livre"
    Path("empty").write_text("")
    assert prompt_of(call("sample", runs["utf-8"], "--prompt-file", "empty", "--json")) == ""


@pytest.mark.parametrize(
    "command",
    [
        ["train", "{text}", "--run", "new"],
        ["score", "{run}", "{text}"],
        ["check", "--text", "{text}"],
        ["sample", "{run}", "--prompt-file", "{text}"],
        ["sample", "{run}", "--novelty", "--training-text", "{text}"],
        ["import", "{state}", "--text", "{text}", "-o", "imported.safetensors"],
    ],
    ids=lambda command: " ".join(command[:1] + command[-2:-1]),
)
def test_each_hint_names_an_option_that_the_command_has(command: list[str], call: Call, runs: dict[str, Path]) -> None:
    state = Path("state.safetensors")
    save_file(load_file(recurra.export(runs["utf-8"], "export.safetensors", format="torch")), state)
    Path("text.txt").write_bytes("déjà".encode("latin-1"))  # too short to be learned once it is read
    named = {"run": str(runs["utf-8"]), "text": "text.txt", "state": str(state)}
    line = [word.format(**named) for word in command]
    code, _, err = call(*line)
    assert code == 3
    assert "text.txt is not utf-8: byte 0xe9 at offset 1, line 1" in err
    assert "hint: give its encoding, for example `--encoding latin-1`" in err
    again = call(*line, "--encoding", "latin-1")
    assert "is not utf-8" not in again.err
    assert "no option" not in again.err
    Path("text.txt").write_bytes(gzip.compress(b"words"))
    code, _, err = call(*line)
    assert code == 3
    assert "hint: unpack it: `gunzip -c text.txt > text`." in err


def test_check_hint_does_not_name_batch_size(call: Call) -> None:
    Path("short.txt").write_text("ab" * 5)
    assert "`--batch-size`" not in call("check", "--text", "short.txt").err
    assert "`--batch-size`" in call("train", "short.txt", "--preset", "small", "--run", "new").err
