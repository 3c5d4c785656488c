"""`recurra train --live`: a page beside the training, which ends with it, and which is not needed for it."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from importlib.util import find_spec
from pathlib import Path

import pytest
from calling import Call

from recurra.cli import live_page

ROOT = Path(__file__).parents[2]
BOOK = "A small book, of few words, read many times over.\n" * 60
NEEDS = pytest.mark.skipif(find_spec("fastapi") is None, reason="the extra `serve` is not installed")


def begin(folder: Path, updates: int) -> tuple[subprocess.Popen[str], str]:
    """A training with its page: the process, and the page's address."""
    book = folder / "book.txt"
    book.write_text(BOOK, encoding="utf-8")
    settings = ["--preset", "seed", "--hidden-size", "8", "--updates", str(updates), "--no-proof", "--force"]
    line = [sys.executable, "-m", "recurra", "train", str(book), "--run", str(folder / "run"), "--live", *settings]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    process = subprocess.Popen(line, stderr=subprocess.PIPE, text=True, env=environment)
    assert process.stderr is not None
    for said in process.stderr:
        if said.startswith("live"):
            return process, said.split()[1]
    pytest.fail("no address was told")


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=10) as answer:  # noqa: S310 - loopback
            return bool(answer.status == 200)
    except OSError:
        return False


@NEEDS
@pytest.mark.parametrize("how", [None, signal.SIGINT, signal.SIGKILL])
def test_the_page_is_there_while_it_trains_and_gone_afterwards(tmp_path: Path, how: signal.Signals | None) -> None:
    process, url = begin(tmp_path, 50_000 if how is None else 50_000_000)
    assert answers(url)
    with urllib.request.urlopen(f"{url}/runs/run/events", timeout=10) as page:  # noqa: S310 - loopback
        assert page.readline()  # a page is looking
        if how is not None:
            process.send_signal(how)
        _, said = process.communicate(timeout=60)
    assert "Traceback" not in said
    assert process.returncode == {None: 0, signal.SIGINT: 130, signal.SIGKILL: -9}[how], said
    until = time.monotonic() + 20
    while answers(url):
        assert time.monotonic() < until, "the server outlives the training"
        time.sleep(0.1)


@NEEDS
def test_where_the_port_is_taken_it_is_another(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with contextlib.suppress(OSError):  # another program has it: that will do
            taken.bind(("127.0.0.1", live_page.PORT))
            taken.listen()
        process, url = begin(tmp_path, 20_000)
        assert not url.endswith(f":{live_page.PORT}")
        process.communicate(timeout=60)


def test_without_the_packages_nothing_is_trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: Call) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "uvicorn" else object())
    monkeypatch.chdir(tmp_path)
    code, _, said = call("train", "python-docs", "--live", "--updates", "1")
    assert code == 2
    assert "`recurra train --live` needs the package uvicorn, which is not installed." in said
    assert "pip install 'recurra[serve]'" in said
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_does_not_come_up_keeps_nobody_from_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: Call
) -> None:
    monkeypatch.setattr("recurra.extras.require", lambda *_: None)
    monkeypatch.setattr(live_page.sys, "executable", "/bin/false")
    book = tmp_path / "book.txt"
    book.write_text(BOOK, encoding="utf-8")
    settings = ["--preset", "seed", "--hidden-size", "8", "--updates", "20", "--no-proof"]
    code, _, said = call("train", str(book), "--run", str(tmp_path / "run"), "--live", *settings)
    assert code == 0
    assert "live      no page: its server did not start; the training goes on without it" in said
