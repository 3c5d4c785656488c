"""The shaded view of a text on a terminal: control characters are escaped, and it works without colors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from calling import Call
from recurra import load
from recurra.cli import score_output
from recurra.cli.surprise_view import SHADES, Glyph, glyphs, legend, lines
from recurra.inference.surprise import Surprise


def surprise(symbols: str, nats: list[float]) -> Surprise:
    none = np.zeros(len(symbols), np.int64)
    return Surprise(symbols, np.array(nats), none, none, 0)


def test_cursor_movements_are_shown_as_signs() -> None:
    found = list(glyphs([surprise("a\n\t\x1b\u202e", [1.0, 2.0, 3.0, 4.0, 5.0])], is_bytes=False))
    assert [glyph.text for glyph in found] == ["a", "¶", "\\t", "\\x1b", "\\u202e"]
    assert [glyph.ends_line for glyph in found] == [False, True, False, False, False]


def test_figures_are_below_their_characters() -> None:
    found = [Glyph("a", 0.4, False), Glyph("b", 0.5, False), Glyph("日", 2.5, False), Glyph("\\t", 9.9, False),
             Glyph("¶", 1.2, True), Glyph("c", 30.0, False)]  # fmt: skip
    assert list(lines(found, 80, colors=False)) == ["ab日\\t¶", " 13 9 1", "c", "9"]


def test_lines_are_as_wide_as_the_terminal() -> None:
    found = [Glyph("日", 1.0, False)] * 5
    assert list(lines(found, 5, colors=False)) == ["日日", "1 1", "日日", "1 1", "日", "1"]
    assert len(list(lines(found, 1, colors=True))) == 5


def test_shades_grow_with_surprise() -> None:
    found = [Glyph("x", nats, False) for nats in (0.0, 0.5, 1.0, 2.0, 4.0, 8.0)]
    (line,) = lines(found, 80, colors=True)
    assert line == "x" + "".join(f"\x1b[{shade}mx\x1b[0m" for shade in SHADES[1:])


def test_legend_explains_marks() -> None:
    assert "\x1b" not in legend(colors=False)
    assert "8 or more" in legend(colors=True)


@pytest.mark.parametrize("colors", [True, False])
def test_on_a_terminal(call: Call, trained: Path, monkeypatch: pytest.MonkeyPatch, colors: bool) -> None:
    Path("some.txt").write_text("A small\x07 book\n" * 3, encoding="utf-8")
    monkeypatch.setattr("recurra.cli.terminal.is_terminal", lambda stream: True)
    monkeypatch.setattr("recurra.cli.score_output.has_color", lambda stream: colors)
    code, out, _ = call("score", trained, "some.txt", "--per-character")
    assert code == 0
    assert ("\x1b[48;5;" in out) == colors
    assert "\x07" not in out
    assert out.count("¶") == 3


def test_view_yields_every_chunk(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(score_output, "write", lambda data: None)
    monkeypatch.setattr(score_output, "write_text", lambda text: None)
    model = load(trained)
    pieces = ["A small book\n", "of", " few", " words"]
    assert [piece.symbols for piece in score_output.view(model.surprises(pieces), model)] == pieces


def test_json_lines_on_terminal_have_no_control_characters(
    call: Call, trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("some.txt").write_text("A\u202e\x9b book", encoding="utf-8")
    monkeypatch.setattr("recurra.cli.score_output.is_terminal", lambda stream: True)
    code, out, _ = call("score", trained, "some.txt", "--per-character", "--json")
    assert code == 0
    assert "\\u202e" in out
    assert out.isascii()
