"""A network trained on escape sequences and markup writes them: escaped on a terminal, raw into a pipe."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

from calling import Call, on_a_terminal
from recurra import load

ESCAPES = "\x1b]0;owned\x07\x9b2J\u202e"  # a window's title, a screen cleared, text turned around
MARKUP = "<img src=x onerror=alert(1)>\n"
SMALL = ["--preset", "classic", "--hidden-size", "8", "--updates", "300", "--sample-every", "100", "--log-every", "50"]
ALIVE = re.compile(rb"\x1b\]|\x07|\xc2[\x80-\x9f]|\xe2\x80\xae")
HOSTILE_NAME = "<img src=x onerror=alert(1)>\x1b]0;owned\x07\u202e"


class Tags(HTMLParser):
    """A parser that collects the names of all tags and attributes of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.found |= {tag, *(name for name, _ in attributes)}


def test_training_and_sampling_on_a_terminal(
    command: list[str], environment: dict[str, str], tmp_path: Path, call: Call
) -> None:
    book = tmp_path / "book.txt"
    book.write_text((ESCAPES + MARKUP) * 60, encoding="utf-8")
    run = tmp_path / HOSTILE_NAME
    train = [*command, "train", str(book), *SMALL, "--no-proof", "--run", str(run)]
    code, shown = on_a_terminal(train, environment)
    assert code == 0
    assert not ALIVE.search(shown)
    assert rb"\x1b]0;owned\x07" in shown, "the run's name, escaped"
    sample = [*command, "sample", str(run), "--max-new-tokens", "100", "--prompt", "\x1b]0;x"]
    for options in ([], ["--json"]):
        code, shown = on_a_terminal([*sample, *options], environment | {"NO_COLOR": "1"})
        assert code == 0
        assert not ALIVE.search(shown)
    raw = call("sample", run, "--max-new-tokens", 100).out
    assert raw == load(run).sample(max_new_tokens=100) + "\n"
    assert ALIVE.search(raw.encode()), "what it writes is alive where it is piped"
    code, shown = on_a_terminal([*command, "report", str(run), str(run), "-o", str(run / "two.html")], environment)
    assert code == 0
    assert not ALIVE.search(shown)
    for name in ("report.html", "two.html"):
        page = (run / name).read_text(encoding="utf-8")
        assert not ALIVE.search(page.encode())
        assert Tags(page).found.isdisjoint({"img", "src", "onerror"})
        ours = page.count('class="data">') + page.count('class="weights">') + page.count('<script type="module">')
        assert page.count("<script") == ours
    assert "owned" in page


def test_names_of_files_and_options_in_errors(call: Call) -> None:
    for line in (
        ["train", "\x1b[2J\u202e.txt"],
        ["sample", "\x1b[2J\u202e"],
        ["report", "\x1b[2J\u202e"],
        ["train", "--\x1b[2J\u202e"],
        ["\x1b[2J\u202e"],
        ["train", "x", "--cell", "\x1b[2J\u202e"],
        ["train", "x", "--encoding", "\x1b[2J\u202e"],
    ):
        code, out, err = call(*line)
        assert code in (2, 3, 4)
        assert out == ""
        assert "x1b[2J" in err
        assert not ALIVE.search(err.encode())
        assert "\x1b" not in err


def test_file_names_in_training_output_are_escaped(call: Call, tmp_path: Path) -> None:
    folder = tmp_path / "\x1b[2J\u202e"
    folder.mkdir()
    (folder / "a\x1b[2J.txt").write_text("some words, no line end " * 40)
    (folder / "b\u202e.txt").write_text("more\r\n" * 40)
    (folder / "c\x9b.bin").write_bytes(b"\0" * 9)
    code, _, err = call("train", folder, *SMALL, "--no-proof", "--run", tmp_path / "run")
    assert code == 0
    assert "binary, with NUL inside" in err
    assert "\x1b" not in err
    assert not ALIVE.search(err.encode())
