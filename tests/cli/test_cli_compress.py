"""`recurra compress` and `recurra decompress`: round trips, and errors that leave no file."""

from __future__ import annotations

import io
import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from calling import Call
from recurra.compression import adaptive_compression, container
from recurra.config import ModelConfig

TEXT = "And God said, Let there be light: and there was light. Grüße!\n".encode() * 5


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(adaptive_compression, "ADAPTIVE_MODEL", ModelConfig(cell="lstm", hidden_size=16))
    monkeypatch.chdir(tmp_path)
    Path("book.txt").write_bytes(TEXT)


def standard_input(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(data), closed=False, isatty=lambda: False))


@pytest.mark.parametrize("adaptively", [False, True])
def test_round_trip_gives_same_bytes(call: Call, trained: Path, adaptively: bool) -> None:
    model = ["--adaptive"] if adaptively else [trained]
    code, out, err = call("compress", *model, "book.txt")
    assert (code, out) == (0, "")
    size = Path("book.txt.rcra").stat().st_size
    assert f"book.txt.rcra: {len(TEXT):,} bytes read, {size:,} bytes written ({size / len(TEXT):.1%})" in err
    Path("book.txt").unlink()
    code, out, err = call("decompress", *model, "book.txt.rcra", "--quiet")
    assert (code, out, err) == (0, "", "")
    assert Path("book.txt").read_bytes() == TEXT
    assert sorted(path.name for path in Path().iterdir()) == ["book.txt", "book.txt.rcra"]


def test_the_figures_in_json(call: Call, trained: Path) -> None:
    figures = json.loads(call("compress", trained, "book.txt", "-o", "small", "--json").out)
    assert figures["file"] == "small"
    assert figures["bytes"] == len(TEXT)
    assert figures["compressed_bytes"] == Path("small").stat().st_size
    assert figures["bits_per_byte"] == 8 * figures["compressed_bytes"] / len(TEXT)
    assert figures["seconds"] > 0


def test_from_standard_input_to_standard_output(
    call: Call, trained: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    standard_input(monkeypatch, TEXT)
    code, _, err = call("compress", trained, "-", "-o", "small")
    small = Path("small").stat().st_size
    assert (code, err.split(" in ")[0]) == (
        0,
        f"small: {len(TEXT):,} bytes read, {small:,} bytes written ({small / len(TEXT):.1%})",
    )
    standard_input(monkeypatch, Path("small").read_bytes())
    code, _, err = call("decompress", trained, "-", "-o", "large")
    assert (code, err.split(" in ")[0]) == (0, f"large: {small:,} bytes read, {len(TEXT):,} bytes written")
    assert Path("large").read_bytes() == TEXT


def test_standard_output_has_the_compressed_bytes_and_nothing_else(call: Call, trained: Path) -> None:
    call("compress", trained, "book.txt", "-o", "small")
    code, out, err = call("decompress", trained, "small", "-o", "-")
    assert (code, out, err) == (0, TEXT.decode(), "")


def test_existing_file_is_replaced_only_by_force(call: Call, trained: Path) -> None:
    Path("small").write_text("mine")
    code, _, err = call("compress", trained, "book.txt", "-o", "small")
    assert code == 2
    assert "`small` already exists.\nhint: give another name with `-o`, or `--force` to replace it." in err
    assert Path("small").read_text() == "mine"
    assert call("compress", trained, "book.txt", "-o", "small", "--force").code == 0
    assert Path("small").read_bytes().startswith(container.RCRA_MAGIC)


def test_damaged_file_leaves_no_output(call: Call, trained: Path) -> None:
    call("compress", trained, "book.txt", "-o", "small")
    data = bytearray(Path("small").read_bytes())
    data[-20] ^= 1
    Path("small").write_bytes(data)
    code, out, err = call("decompress", trained, "small", "-o", "large")
    assert (code, out) == (6, "")
    assert "block 0 of the compressed file, from byte 0 of the text on, is damaged.\nhint: `--salvage`" in err
    assert sorted(path.name for path in Path().iterdir()) == ["book.txt", "small"]


def test_salvage_writes_undamaged_blocks(call: Call, trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(container, "MAX_BLOCK_BYTES", 100)
    call("compress", trained, "book.txt", "-o", "small")
    data = bytearray(Path("small").read_bytes())
    data[45] ^= 1
    Path("small").write_bytes(data)
    code, _, err = call("decompress", trained, "small", "-o", "large", "--salvage")
    assert code == 6
    assert "warning: block 0" in err
    assert "The output lacks this part." in err
    assert Path("large").read_bytes() == TEXT[100:]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["compress"], 2, "FILE is missing."),
        (["compress", "book.txt"], 2, "a model and a file are expected; got only `book.txt`."),
        (["compress", "--adaptive", "a", "b"], 2, "`b` is one argument too many."),
        (["compress", "no model", "book.txt"], 4, "there is no model `no model`."),
        (["compress", "--adaptive", "nothing"], 3, "cannot read `nothing`: No such file or directory."),
        (["compress", "--adaptive", "."], 3, "`.` is a folder; a file is expected."),
        (["compress", "--adaptive", "book.txt", "-o", "no/folder"], 7, "`no/folder`: the folder `no` does not exist"),
        (["compress", "--adaptive", "book.txt", "-o", "-", "--json"], 2, "would both go to standard output"),
        (["decompress", "--adaptive", "book.txt"], 2, "`book.txt` does not end in .rcra, so the output has no"),
        (["decompress", "--adaptive", "book.txt", "-o", "x"], 6, "this is not a file written by `recurra compress`."),
    ],
)  # fmt: skip
def test_errors(call: Call, arguments: list[str], code: int, message: str) -> None:
    found = call(*arguments)
    assert found.code == code
    assert found.err.startswith("error: ")
    assert message in found.err
    assert found.out == ""
    assert [path.name for path in Path().iterdir()] == ["book.txt"]


def test_another_model_and_none_are_refused(call: Call, trained: Path) -> None:
    call("compress", "--adaptive", "book.txt", "-o", "learned")
    call("compress", trained, "book.txt", "-o", "modeled")
    assert "error: the file was compressed without a model." in call("decompress", trained, "learned", "-o", "x").err
    found = call("decompress", "--adaptive", "modeled", "-o", "x")
    assert found.code == 4
    assert "error: the file was compressed with a model." in found.err
