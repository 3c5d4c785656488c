"""A folder as text: unsuitable files are skipped, and a summary lists the read and the skipped files."""

from __future__ import annotations

import io
import lzma
import os
from pathlib import Path
from typing import Any

import pytest

import recurra
from recurra.errors import TextError
from recurra.text.reading import read

LINE = "A small book, of few words, read many times over.\n"
TAG = "Signature: 8a477f597d28d172789f06886806bc55\n# made by a program\n"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write(name: str, content: str | bytes = LINE) -> None:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)


def test_second_training_reads_same_text_of_folder(capfd: pytest.CaptureFixture[str]) -> None:
    for number in range(5):
        write(f"notes/{number}.md", LINE * 4)
    settings: dict[str, Any] = {"preset": "classic", "updates": 3, "hidden_size": 8, "proof": False, "report": False}
    first = recurra.train(".", **settings)
    second = recurra.train(".", **settings)
    third = recurra.train(".", run="elsewhere/deep/run", **settings)
    fourth = recurra.train(".", **settings)
    assert len({run.model.vocabulary.symbols for run in (first, second, third, fourth)}) == 1
    assert read(".").text == LINE * 20
    (note,) = [note for note in read(".").notes if "run directory" in note]
    assert note.startswith("skipped, run directory of recurra: 4 (elsewhere/deep/run, runs/")
    capfd.readouterr()


def test_run_directory_is_recognized_by_two_entries() -> None:
    write("a/run.toml")
    write("b/run.toml")
    write("b/metrics.jsonl")
    write("c/metrics.jsonl")
    write("c/checkpoints/x.txt")
    assert [Path(place).parent.name for place in read(".").source] == ["a"]


@pytest.mark.parametrize("name", ["b", "b/"])
def test_run_directory_given_as_text_is_refused(name: str) -> None:
    write("b/run.toml")
    write("b/metrics.jsonl")
    with pytest.raises(TextError, match=r"^`b` is a run directory, not a text") as caught:
        read(name)
    assert caught.value.hint == "name the file or folder of the text."
    assert read("b/run.toml").text == LINE  # a file that is named is read


def test_the_checkpoints_of_a_run_are_part_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    write("run/checkpoints/latest.json", "{}")
    write("run/checkpoints/update-000000000001.safetensors", "")
    write("book.txt")
    assert [Path(place).name for place in read(".").source] == ["book.txt"]
    with pytest.raises(TextError, match=r"^`run/checkpoints` is a folder of checkpoints, not a text") as caught:
        recurra.train("run/checkpoints", updates=1)
    assert "`recurra train TEXT --from run`" in str(caught.value.hint)
    monkeypatch.chdir("run/checkpoints")
    with pytest.raises(TextError, match=r"^`\.` is a folder of checkpoints, not a text") as caught:
        recurra.train(".", updates=1)
    assert "`recurra train TEXT --from ..`" in str(caught.value.hint)


def test_skipped_files_and_reasons() -> None:
    write("a.txt")
    write("src/b.py")
    write(".git/config")
    write(".hidden")
    write("env/pyvenv.cfg")
    write("env/lib/python/site.py")
    write("conda/conda-meta/history")
    write("web/node_modules/x/index.js")
    write("src/__pycache__/b.pyc")
    write("target/CACHEDIR.TAG", TAG)
    write("target/debug/log")
    write("other/CACHEDIR.TAG", "another file of that name\n")
    for name in ("package-lock.json", "uv.lock", "Cargo.lock", "go.sum", "sub/YARN.LOCK", "pnpm-lock.yaml"):
        write(name)
    write("old.xz", lzma.compress(b"text"))
    write("paper.pdf", b"%PDF-1.4\n")
    write("model.safetensors", b'\x10\0\0\0\0\0\0\0{"a": {}}')
    write("photo.jpg", b"\xff\xd8\xff\xe0\0\x10JFIF")
    write("wide.txt", "words of few letters\n".encode("utf-16-le"))
    write("odd.bin", b"a\0b")
    write("latin.txt", "déjà vu".encode("latin-1"))
    write("empty.txt", "")
    os.mkfifo("fifo")
    text = read(".")
    assert [str(Path(place).relative_to(Path.cwd())) for place in text.source] == [
        "a.txt", "other/CACHEDIR.TAG", "src/b.py",
    ]  # fmt: skip
    taken, *skipped = text.notes
    assert taken == "taken from folders: 3 files, 126 characters: .py 1 (39.7 %), .txt 1 (39.7 %), .tag 1 (20.6 %)"
    assert set(skipped) == {
        "skipped, hidden: 2 (.git, .hidden)",
        "skipped, virtual environment: 2 (conda, env)",
        "skipped, node_modules: 1 (web/node_modules)",
        "skipped, __pycache__: 1 (src/__pycache__)",
        "skipped, cache directory: 1 (target)",
        "skipped, lock file: 6 (Cargo.lock, go.sum, package-lock.json and 3 more)",
        "skipped, compressed or archived: 1 (old.xz)",
        "skipped, PDF, office document or e-book: 1 (paper.pdf)",
        "skipped, model file: 1 (model.safetensors)",
        "skipped, image, audio or video: 1 (photo.jpg)",
        "skipped, UTF-16 or UTF-32 without a byte order mark: 1 (wide.txt)",
        "skipped, binary, with NUL inside: 1 (odd.bin)",
        "skipped, not utf-8: 1 (latin.txt)",
        "skipped, empty: 1 (empty.txt)",
        "skipped, not a regular file: 1 (fifo)",
    }


def test_named_files_are_always_read() -> None:
    names = ["package-lock.json", ".hidden", "env/lib/site.py", "node_modules/x.js"]
    for name in [*names, "env/pyvenv.cfg"]:
        write(name)
    assert read([Path(name) for name in names]).text == LINE * 4
    assert read("node_modules").text == LINE
    assert "site.py" in "".join(read("env").source)  # so is a folder that is named


def test_summary_of_skipped_files_has_bounded_length() -> None:
    for number in range(40):
        write(f"f{number}/a.{'x' * (number % 20 + 1)}{number}")
        write(f"f{number}/.hidden")
        write(f"f{number}/b.lock")
    text = read([f"f{number}" for number in range(40)])
    assert len(text.notes) == 3
    taken, hidden, locks = text.notes
    assert taken.startswith("taken from folders: 40 files, 2,000 characters: ")
    assert taken.endswith("other kinds 18 (45.0 %)") or "other kinds" in taken
    assert taken.count("(") <= 9
    assert hidden == "skipped, hidden: 40 (f0/.hidden, f1/.hidden, f2/.hidden and 37 more)"
    assert locks.startswith("skipped, lock file: 40 (")


def test_shares_count_characters_of_read_files() -> None:
    write("a.txt", "\ufeff" + "é" * 30)
    write("b.md", "x\r\n" * 5)
    write("c.txt", "\ufeff")
    assert read(".").notes[0] == "taken from folders: 3 files, 40 characters: .txt 2 (75.0 %), .md 1 (25.0 %)"
    assert read(".", "bytes").notes[0].startswith("taken from folders: 3 files, 81 bytes: ")


def test_folder_without_readable_files_gives_reason_and_fitting_hint() -> None:
    write("f/old.xz", lzma.compress(b"text"))
    with pytest.raises(
        TextError, match=r"holds no text \(skipped, compressed or archived: 1 \(f/old\.xz\)\)"
    ) as caught:
        read("f")
    assert caught.value.hint is None
    write("f/latin.txt", "déjà vu".encode("latin-1"))
    with pytest.raises(TextError, match=r"holds no text[\s\S]*hint: give its encoding"):
        read("f")


def test_unreadable_cachedir_tag_is_no_cache_directory() -> None:
    write("a/b.txt")
    os.mkfifo("a/CACHEDIR.TAG")
    assert read("a").text == LINE
    write("c/d.txt")
    Path("c/CACHEDIR.TAG").mkdir()
    assert read(["c", "-"], stdin=io.BytesIO(b"")).text == LINE
