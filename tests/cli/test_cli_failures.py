"""Exit codes and error messages."""

import errno
import signal
import subprocess
from pathlib import Path

import pytest

from calling import Call
from recurra import errors
from recurra.cli import main

CASES = [
    (errors.RecurraError("It failed."), 1, "error: It failed.\n"),
    (errors.UsageError("It is odd.", hint="try."), 2, "error: It is odd.\nhint: try.\n"),
    (errors.TextError("No text."), 3, "error: No text.\n"),
    (errors.ModelError("No model."), 4, "error: No model.\n"),
    (errors.NumericalError("NaN.", update=3, tensor="W"), 5, "error: NaN.\n"),
    (errors.CheckpointError("Bad bytes."), 6, "error: Bad bytes.\n"),
    (errors.StorageError("Full."), 7, "error: Full.\n"),
    (errors.Interrupted("stopped by SIGINT.", signal=2), 130, "stopped by SIGINT.\n"),
    (errors.Interrupted("stopped by SIGTERM.", signal=15), 143, "stopped by SIGTERM.\n"),
    (KeyboardInterrupt(), 130, "interrupted.\n"),
    (
        MemoryError(),
        1,
        "error: there is not enough memory.\nhint: use a smaller network, a smaller batch or a shorter text.\n",
    ),
    (
        OSError(errno.ENOSPC, "No space left"),
        7,
        "error: cannot write: No space left.\nhint: free some disk space, or write to another disk.\n",
    ),
]


@pytest.mark.parametrize(("error", "code", "said"), CASES, ids=lambda case: getattr(case, "__class__", type).__name__)
def test_each_error_has_its_exit_code_and_message(
    call: Call, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int, said: str
) -> None:
    def fail(arguments: list[str]) -> int:
        raise error

    monkeypatch.setattr("recurra.cli.command_line.run", fail)
    assert call("train") == (code, "", said)


def test_bug_prints_traceback_and_report_hint(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(arguments: list[str]) -> int:
        raise ZeroDivisionError("who did that")

    monkeypatch.setattr("recurra.cli.command_line.run", fail)
    code, out, err = call("train")
    assert (code, out) == (1, "")
    assert "Traceback (most recent call last):" in err
    assert "ZeroDivisionError: who did that\nerror: internal: ZeroDivisionError. This is a bug in recurra" in err
    assert err.splitlines()[-1].startswith("hint: please report it to the project")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["train", "nowhere.txt"], 3, "nowhere.txt is neither a book nor an existing file or folder."),
        (["train", "short.txt"], 3, "the text has 3 characters, but one sequence of 25 needs 26."),
        (["train", "latin.txt"], 3, "latin.txt is not utf-8: byte 0xe9 at offset 3, line 1"),
        (["sample", "nowhere"], 4, "there is no model `nowhere`."),
        (["sample", "book.txt"], 4, "`book.txt` is not a model file of recurra."),
        (["check", "nowhere"], 4, "there is no model `nowhere`."),
        (["report", "nowhere"], 4, "`nowhere` is not a folder: expected run.toml and metrics.jsonl in it."),
        (["train", "book.txt", "--run", "short.txt/run"], 7, "cannot write `short.txt/run`"),
    ],
    ids=lambda case: case[1] if isinstance(case, list) else "",
)
def test_unusable_input_is_named(call: Call, book: Path, arguments: list[str], code: int, message: str) -> None:
    Path("short.txt").write_text("abc")
    Path("latin.txt").write_bytes("cafés".encode("latin-1") * 50)
    Path("book.txt").write_bytes(book.read_bytes())
    got, out, err = call(*arguments)
    assert got == code
    assert out == ""
    assert f"error: {message}" in err


def test_damaged_checkpoint_has_exit_code_6(call: Call, trained: Path, tmp_path: Path) -> None:
    data = bytearray((trained / "checkpoints/best.safetensors").read_bytes())
    data[-5] ^= 1
    (tmp_path / "damaged").write_bytes(data)
    code, _, err = call("sample", "damaged")
    assert code == 6
    assert "error: `damaged` is damaged: its bytes do not have the sha256" in err


def test_numerical_failure(call: Call, book: Path) -> None:
    code, _, err = call(
        "train", book, "--learning-rate", "1e38", "--clip-value", "none", "--hidden-size", "8", "--quiet"
    )
    assert code == 5
    assert err.startswith("error: ")
    assert len(err.splitlines()) <= 2


@pytest.mark.parametrize("arguments", [["books"], ["--help"], ["--version"]], ids=" ".join)
def test_stdout_on_full_disk(command: list[str], environment: dict[str, str], arguments: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([*command, *arguments], stdout=full, stderr=subprocess.PIPE, env=environment, text=True)
    assert done.returncode == 7
    assert "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr


def test_closed_stdout_and_stderr_are_handled(command: list[str], environment: dict[str, str]) -> None:
    line = " ".join([*command, "books"])
    done = subprocess.run(["sh", "-c", f"{line} >&-"], capture_output=True, env=environment, text=True)
    assert (done.returncode, done.stderr) == (7, "error: standard output is closed.\n")
    done = subprocess.run(["sh", "-c", f"{line} extra 2>&-"], capture_output=True, env=environment, text=True)
    assert (done.returncode, done.stdout) == (2, "")


def test_main_uses_sys_argv_by_default(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.argv", ["recurra", "--version"])
    before = signal.getsignal(signal.SIGINT)
    try:
        assert main() == 0
    finally:
        signal.signal(signal.SIGINT, before)
    assert capsys.readouterr().out.startswith("recurra ")
