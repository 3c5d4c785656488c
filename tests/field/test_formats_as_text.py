"""Compressed files, documents, images, databases and models in place of a text are named, with a hint."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import pickle
import shlex
import sqlite3
import tarfile
import wave
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save as safetensors

from recurra.compression import adaptive_compression
from recurra.errors import TextError
from recurra.text.reading import read

BOOK = "A small book, of few words, read many times over: déjà vu.\n" * 40


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def zipped(*members: tuple[str, str], stored: bool = False) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED) as archive:
        for name, text in members:
            archive.writestr(name, text)
    return data.getvalue()


def tarred() -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        member = tarfile.TarInfo("book.txt")
        member.size = len(BOOK.encode())
        archive.addfile(member, io.BytesIO(BOOK.encode()))
    return data.getvalue()


def saved(save: Any, *arguments: Any) -> bytes:
    data = io.BytesIO()
    save(data, *arguments)
    return data.getvalue()


def sound() -> bytes:
    data = io.BytesIO()
    with wave.open(data, "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(b"\1\2" * 100)
    return data.getvalue()


def database(path: str) -> bytes:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE verses (text)")
    connection.commit()
    connection.close()
    return Path(path).read_bytes()


def compressed_by_us() -> bytes:
    data = io.BytesIO()
    adaptive_compression.compress(io.BytesIO(b"a small book"), data)
    return data.getvalue()


OFFICE = "application/vnd.oasis.opendocument.text"
# File name: its bytes, what it is called, and the command that gets its text.
MADE: dict[str, tuple[Callable[[], bytes], str, str | None]] = {
    "a.txt.gz": (lambda: gzip.compress(BOOK.encode()), "a gzip file", "gunzip -k a.txt.gz"),
    "a gzip": (lambda: gzip.compress(BOOK.encode()), "a gzip file", "gunzip -c 'a gzip' > 'a gzip.unpacked'"),
    "-a.gz": (lambda: gzip.compress(BOOK.encode()), "a gzip file", "gunzip -k ./-a.gz"),
    "a.txt.bz2": (lambda: bz2.compress(BOOK.encode()), "a bzip2 file", "bunzip2 -k a.txt.bz2"),
    "a.txt.xz": (lambda: lzma.compress(BOOK.encode()), "an xz file", "unxz -k a.txt.xz"),
    "a.lzma": (lambda: lzma.compress(BOOK.encode(), lzma.FORMAT_ALONE), "an lzma file", "unlzma -k a.lzma"),
    "a.zst": (lambda: b"\x28\xb5\x2f\xfd\x04\x58\x19\x00abc", "a Zstandard file", "unzstd -k a.zst"),
    "a.7z": (lambda: b"7z\xbc\xaf\x27\x1c\0\x04", "a 7-Zip archive", "7z x a.7z -oa"),
    "a.rar": (lambda: b"Rar!\x1a\x07\x01\0", "a RAR archive", "unrar x a.rar a/"),
    "a.zip": (lambda: zipped(("a.txt", BOOK)), "a ZIP archive", "unzip a.zip -d a"),
    "none.zip": (lambda: zipped(), "a ZIP archive", "unzip none.zip -d none"),
    "a.tar": (tarred, "a tar archive", "mkdir a && tar -xf a.tar -C a"),
    "a.docx": (
        lambda: zipped(("[Content_Types].xml", "<Types/>"), ("word/document.xml", BOOK)),
        "a Word document (.docx)",
        "pandoc -f docx -t plain -o a.txt a.docx",
    ),
    "a.xlsx": (lambda: zipped(("xl/workbook.xml", "<w/>")), "an Excel file (.xlsx)", "--convert-to csv a.xlsx"),
    "a.odt": (
        lambda: zipped(("mimetype", OFFICE), ("content.xml", BOOK), stored=True),
        "an OpenDocument text (.odt)",
        "pandoc -f odt -t plain -o a.txt a.odt",
    ),
    "a.epub": (
        lambda: zipped(("mimetype", "application/epub+zip"), ("a.xhtml", BOOK), stored=True),
        "an EPUB e-book",
        "pandoc -f epub -t plain -o a.txt a.epub",
    ),
    "a.doc": (lambda: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 99, "an old Microsoft Office file", "soffice"),
    "a.pdf": (lambda: b"%PDF-1.7\n% only ASCII here\n", "a PDF file", "pdftotext a.pdf a.txt"),
    "a.mobi": (lambda: b"book".ljust(60, b"\0") + b"BOOKMOBI", "an e-book", "ebook-convert a.mobi a.txt"),
    "a.png": (lambda: b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "an image", "tesseract a.png a"),
    "a.jpg": (lambda: b"\xff\xd8\xff\xe0\0\x10JFIF", "an image", "tesseract a.jpg a"),
    "a.gif": (lambda: b"GIF89a\x10\0\x10\0\x80\0\0", "an image", "tesseract a.gif a"),
    "a.wav": (sound, "an audio or video file", "whisper a.wav --output_format txt"),
    "a.mp4": (lambda: b"\0\0\0\x20ftypisom\0\0\2\0", "an audio or video file", "whisper a.mp4"),
    "a.sqlite": (lambda: database("a.db"), "an SQLite database", "sqlite3 a.sqlite .dump > a.sql"),
    "a.npy": (lambda: saved(np.save, np.arange(9)), "a NumPy array (.npy)", "numpy.load"),
    "a.npz": (lambda: saved(np.savez, np.arange(9)), "a file of NumPy arrays (.npz)", None),
    "a.pkl": (lambda: pickle.dumps({"text": BOOK}), "a Python pickle", None),
    "a.parquet": (lambda: b"PAR1\x15\x04\x15\x10", "a Parquet file", "read_parquet"),
    "a.h5": (lambda: b"\x89HDF\r\n\x1a\n\0", "an HDF5 file", "h5dump a.h5 > a.txt"),
    "a.pt": (lambda: zipped(("model/data.pkl", "x")), "a model file (PyTorch)", None),
    "a.safetensors": (lambda: safetensors({"a": np.zeros(3, np.float32)}), "a model file (safetensors)", None),
    "a.rcra": (compressed_by_us, "a compressed file of recurra", "recurra decompress --adaptive a.rcra -o a"),
    "program": (lambda: b"\x7fELF\x02\x01\x01\0", "a compiled program", None),
}  # fmt: skip


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
@pytest.mark.parametrize("name", MADE)
def test_format_is_named_with_command_that_extracts_text(name: str, encoding: str) -> None:
    make, called, command = MADE[name]
    Path(name).write_bytes(make())
    with pytest.raises(TextError, match="not plain text") as caught:
        read(f"./{name}" if name.startswith("-") else name, encoding)
    assert caught.value.message.startswith(f"{name} is {called}")
    hint = caught.value.hint
    assert hint is not None
    assert "latin-1" not in hint
    assert command is None or command in hint
    if command is not None:
        shlex.split(hint[hint.index("`") + 1 : hint.rindex("`")])  # a shell can read it
    read(f"./{name}" if name.startswith("-") else name, "bytes")  # the bytes of any file can be learned


@pytest.mark.parametrize("name", MADE)
def test_standard_input_of_a_format(name: str) -> None:
    make, called, _ = MADE[name]
    with pytest.raises(TextError, match=r"^standard input is an? .*, not plain text") as caught:
        read("-", stdin=io.BytesIO(make()))
    assert called in caught.value.message
    assert "standard input" not in (caught.value.hint or "")


def test_the_filter_of_a_pipe_is_named() -> None:
    with pytest.raises(TextError, match=r"hint: unpack it before recurra reads it: `gunzip -c < FILE \| recurra …`"):
        read("-", stdin=io.BytesIO(gzip.compress(b"words")))


@pytest.mark.parametrize("text", [
    "BM is a name", "GIF89a is a format", "PK", "II*", "MZ", "RIFF and RAFF", "ID3 tags", "PAR1 and PAR2", "BZh91",
    "OggS", "%PDF is a format", "SQLite format 3", "RCRA", "{\"a\": 1}", "FLV", "GGUF", "\x1b[1mbold\x1b[0m",
    "the ftyp box",
])  # fmt: skip
def test_plain_text_that_begins_like_a_format_is_text(text: str) -> None:
    Path("a.txt").write_text(text + BOOK, encoding="utf-8")
    assert read("a.txt").text == text + BOOK


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize(
    "sentence",
    [
        "A small book.\n",
        "Маленькая книга, немного слов.\n",
        "ένα μικρό βιβλίο\n",
        "ספר קטן\n",
        "小さな本、言葉は少ない。 一\n",
    ],
)
def test_unicode_without_a_mark_is_named(codec: str, sentence: str) -> None:
    Path("a.txt").write_bytes((sentence * 300).encode(codec))
    for encoding in ("utf-8", "latin-1"):
        with pytest.raises(TextError, match=f"a.txt looks like {codec} without a byte order mark") as caught:
            read("a.txt", encoding)
        assert caught.value.hint == f"give its encoding: `--encoding {codec}`."
    assert read("a.txt", codec).text == sentence * 300


@pytest.mark.parametrize("text", ["words\0" * 9, "/a/b.txt\0/a/c.txt\0" * 30, "1\t2\t3\t4\t\0\0" * 20, "書\0本\0" * 30])
def test_utf_8_with_nul_characters_is_text(text: str) -> None:
    Path("a.txt").write_text(text, encoding="utf-8")
    assert read("a.txt").text == text


def test_unknown_binary_file_gets_no_encoding_hint() -> None:
    Path("a.bin").write_bytes(bytes(range(256)) * 20)
    with pytest.raises(TextError, match=r"a\.bin is not utf-8") as caught:
        read("a.bin")
    assert (
        caught.value.hint
        == "it looks binary: give a file of plain text; `--encoding bytes` reads the bytes of any file."
    )
    Path("a.txt").write_bytes("un\ndéjà vu".encode("latin-1"))
    with pytest.raises(TextError, match=r"hint: give its encoding, for example `--encoding latin-1`"):
        read("a.txt")
