"""Streams: colors, escapes, closed streams, and the output on a pseudo-terminal."""

import errno
import io
import json
import logging
import re
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from calling import Call, on_a_terminal
from recurra.cli import sample_output, terminal
from recurra.errors import StorageError
from recurra.formatting import sanitize

COLOR = re.compile(rb"\x1b\[(?:\d+;)*(?:3[0-7]|4[0-7]|9[0-7]|38|48)(?:;\d+)*m")


class Screen(io.StringIO):
    """A stream whose `isatty` returns True."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("quiet", [False, True])
def test_warnings_and_messages_are_a_line_each(quiet: bool, capsys: pytest.CaptureFixture[str]) -> None:
    with terminal.notices(quiet=quiet):
        logging.getLogger("recurra").info("compiling\x1b")
        assert not logging.getLogger("matplotlib").isEnabledFor(logging.WARNING)
        warnings.warn("the disk is full", stacklevel=1)
    assert capsys.readouterr().err == ("" if quiet else "compiling\\x1b\nwarning: the disk is full\n")
    assert logging.getLogger("matplotlib").isEnabledFor(logging.WARNING)
    logging.getLogger("recurra").info("nobody listens")
    assert capsys.readouterr().err == ""


@pytest.fixture(scope="session")
def training(book: Path, command: list[str]) -> list[str]:
    small = ["--hidden-size", "8", "--updates", "400", "--log-every", "50", "--sample-every", "100", "--no-proof"]
    return [*command, "train", str(book), *small]


def test_terminal_gets_a_live_display(training: list[str], environment: dict[str, str]) -> None:
    code, shown = on_a_terminal(training, environment)
    assert code == 0
    assert COLOR.search(shown)
    assert b"\x1b[2K" in shown, "lines are drawn anew"
    assert shown.count(b"\x1b[?25l") == shown.count(b"\x1b[?25h") == 1, "the cursor comes back"
    assert b"400 of 400 updates" in shown
    assert re.search(rb"sample after \d+ updates:", shown)
    assert b"next      " in shown.replace(b"\x1b[0m", b"").replace(b"\x1b[1m", b"")


def test_no_color_keeps_live_display(training: list[str], environment: dict[str, str]) -> None:
    code, shown = on_a_terminal(training, environment | {"NO_COLOR": "1"})
    assert code == 0
    assert not COLOR.search(shown)
    assert b"\x1b[2K" in shown


@pytest.mark.parametrize(("variables", "options"), [({"TERM": "dumb"}, []), ({}, ["--quiet"])], ids=["dumb", "quiet"])
def test_dumb_terminal_gets_plain_lines_and_quiet_none(
    training: list[str], environment: dict[str, str], variables: dict[str, str], options: list[str]
) -> None:
    code, shown = on_a_terminal([*training, *options], environment | variables)
    assert code == 0
    assert b"\x1b" not in shown
    assert bool(shown) == (not options)


def test_prompt_is_printed_with_controls_escaped(
    trained: Path, command: list[str], environment: dict[str, str], call: Call
) -> None:
    line = [*command, "sample", str(trained), "--max-new-tokens", "20", "--prompt", "A small \x1b[31m"]
    code, shown = on_a_terminal(line, environment | {"NO_COLOR": "1"})
    assert code == 0
    text = call(*line[3:]).out
    warning, written = shown.decode().replace("\r\n", "\n").split("prompt.\n", 1)
    assert warning.startswith("warning: the vocabulary of the model lacks '\\x1b' (U+001B), ")
    assert written == "A small m" + text


def test_interactive_session_on_a_terminal(
    trained: Path, command: list[str], environment: dict[str, str], call: Call
) -> None:
    line = [*command, "sample", str(trained), "--interactive", "--max-new-tokens", "20"]
    answers = ((b"> ", b"A small\n"), (b"> ", b"of few\n"), (b"> ", b"\x04"))
    code, shown = on_a_terminal(line, environment | {"NO_COLOR": "1"}, answers)
    assert code == 0
    said = shown.decode().replace("\r\n", "\n")
    assert said.startswith(
        "Type a prompt and press Enter. Ctrl-C stops a text, Ctrl-D ends the session.\n> A small\nA small"
    )
    for seed, prompt in enumerate(("A small", "of few")):
        text = call("sample", trained, "--prompt", prompt, "--seed", seed, "--max-new-tokens", 20).out
        assert f"> {prompt}\n{prompt}{text}> " in said


def test_wrong_escape_does_not_end_the_conversation(
    trained: Path, command: list[str], environment: dict[str, str]
) -> None:
    line = [*command, "sample", str(trained), "--interactive", "--escapes", "--max-new-tokens", "5"]
    answers = ((b"> ", b"a\\q\n"), (b"> ", b"A small\n"), (b"> ", b"\x04"))
    code, shown = on_a_terminal(line, environment | {"NO_COLOR": "1"}, answers)
    assert code == 0
    said = shown.decode().replace("\r\n", "\n")
    assert "warning: the line contains '\\q', which is not an escape" in said
    assert "> A small\nA small" in said


def test_interrupt_while_typing_starts_new_line(monkeypatch: pytest.MonkeyPatch) -> None:
    lines: Iterator[KeyboardInterrupt | bytes] = iter([KeyboardInterrupt(), b"a\r\n", b""])
    written: list[bytes] = []

    def typed() -> bytes:
        line = next(lines)
        if isinstance(line, KeyboardInterrupt):
            raise line
        return line

    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=SimpleNamespace(readline=typed)))
    monkeypatch.setattr(sample_output, "write", written.append)
    assert list(sample_output._lines(True)) == ["a"]
    assert b"".join(written) == b"> \n> > \n"


def test_interrupt_stops_text_but_not_session(trained: Path, command: list[str], environment: dict[str, str]) -> None:
    line = [*command, "sample", str(trained), "--interactive", "--max-new-tokens", "100000000"]
    answers = ((b"> ", b"A small\n"), (b"A small\r\nA small", b"\x03"), (b"\n> ", b"\x04"))
    code, shown = on_a_terminal(line, environment | {"NO_COLOR": "1"}, answers)
    assert code == 0
    assert b"interrupted" not in shown


def test_errors_are_red_on_a_terminal(command: list[str], environment: dict[str, str]) -> None:
    code, shown = on_a_terminal([*command, "tarin"], environment)
    assert code == 2
    assert shown.startswith(b"\x1b[31merror:\x1b[0m there is no command")


def test_paint_depends_on_stream_and_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Screen()
    assert terminal.paint("x", "red", screen) == "\x1b[31mx\x1b[0m"
    assert terminal.paint("x", "red", io.StringIO()) == "x"
    monkeypatch.setenv("NO_COLOR", "")
    assert terminal.has_color(screen)
    monkeypatch.setenv("NO_COLOR", "1")
    assert not terminal.has_color(screen)
    assert terminal.can_move(screen)
    monkeypatch.setenv("TERM", "dumb")
    assert not terminal.can_move(screen)
    screen.close()
    assert not terminal.is_terminal(screen)
    assert not terminal.is_terminal(None)


def test_print_stderr_never_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError(text)

    closed = io.StringIO()
    closed.close()
    for stream in (Broken(), closed, None):
        monkeypatch.setattr(sys, "stderr", stream)
        terminal.print_stderr("nobody hears")


def test_write_raises_storage_error(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(io.BytesIO):
        def write(self, data: object) -> int:
            raise OSError(errno.ENOSPC, "No space left", data)

    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(Full()))
    with pytest.raises(StorageError, match="cannot write to standard output: No space left"):
        terminal.write(b"x")
    monkeypatch.setattr(sys, "stdout", None)
    with pytest.raises(StorageError, match="standard output is closed"):
        terminal.write(b"x")


def test_json_is_valid_whatever_is_in_it(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    value = {
        "path": "a\udc80é",
        "numbers": [1.5, float("nan"), (float("inf"), None, True)],
        "deep": {"x": -float("inf")},
    }
    terminal.write_json(value)
    out = capfdbinary.readouterr().out
    assert "é".encode() in out
    assert json.loads(out) == {"path": "a\udc80é", "numbers": [1.5, None, [None, None, True]], "deep": {"x": None}}


def test_json_on_terminal_has_no_control_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    value = {"text": "\x1b]0;x\x07\x7f\x9b\u202e\u2028é\U000e0001\udc80"}
    written: list[bytes] = []
    monkeypatch.setattr(terminal, "write", written.append)
    for stream, is_inert in ((Screen(), True), (io.StringIO(), False)):
        monkeypatch.setattr(sys, "stdout", stream)
        terminal.write_json(value)
        text = written.pop().decode()
        assert json.loads(text) == value
        assert (sanitize(text) == text) == is_inert
        assert "é" in text


def test_names_are_escaped_only_on_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", Screen())
    assert terminal.escape_for_stdout("a\x1b[2J") == "a\\x1b[2J"
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    assert terminal.escape_for_stdout("a\x1b[2J") == "a\x1b[2J"


def test_stdout_uses_encoding_of_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    class Ascii(Screen):
        encoding = "ascii"

    monkeypatch.setattr(sys, "stdout", Ascii())
    assert terminal.encode_for_stdout("é") == b"\\xe9"
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    assert terminal.encode_for_stdout("é") == "é".encode()


def test_columns() -> None:
    assert terminal.columns([["a", "bbb", "c"], ["aaaa", "b", ""]], indent=" ") == [" a     bbb  c", " aaaa  b"]
