"""`recurra train --live`: the page ends with the training, and the training does not need it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from http.client import HTTPException, HTTPResponse
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from calling import Call
from processes import PATIENCE, RECURRA, ended, started
from recurra.errors import RecurraError
from recurra.web import live_page

BOOK = "A small book, of few words, read many times over.\n" * 60
SETTINGS = ["--preset", "classic", "--hidden-size", "8", "--no-proof", "--force"]
ENDLESS = str(10**9)
NEEDS = pytest.mark.skipif(find_spec("fastapi") is None, reason="the extra `serve` is not installed")


@pytest.fixture
def line(tmp_path: Path) -> list[str]:
    """The arguments of a training with its page."""
    book = tmp_path / "book.txt"
    book.write_text(BOOK, encoding="utf-8")
    return ["train", str(book), "--run", "run", "--live", *SETTINGS]


@contextlib.contextmanager
def training(line: list[str], *more: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Start an endless training; yield its process and the address of its page."""
    with started([*RECURRA, *line, "--updates", ENDLESS, *more], stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        found = (said.split()[1] for said in process.stderr if said.startswith("live"))
        yield process, next(found)


def get(url: str, host: str | None = None) -> HTTPResponse:
    request = urllib.request.Request(url, headers={} if host is None else {"Host": host})  # noqa: S310 - loopback
    found: HTTPResponse = urllib.request.urlopen(request, timeout=PATIENCE)  # noqa: S310
    return found


@NEEDS
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_live_page_ends_with_training(line: list[str], how: signal.Signals) -> None:
    with training(line, "--port", "0") as (process, url):  # the usual port may be another program's afterwards
        with get(f"{url}/runs/run/events") as page:
            assert page.readline()  # a page is looking
            process.send_signal(how)
            code, said = ended(process)
            with contextlib.suppress(OSError, HTTPException):  # a server without time to end in order is killed
                page.read()  # to the end of the server
        assert "Traceback" not in said
        assert code == {signal.SIGINT: 130, signal.SIGKILL: -9}[how], said
        with pytest.raises(OSError, match="refused"):
            get(f"{url}/health")


@NEEDS
def test_live_page_gets_end_event_and_report(line: list[str], monkeypatch: pytest.MonkeyPatch, call: Call) -> None:
    live = {"report": "run/report.html", "resume": "recurra train --resume --run run", "serve": "recurra serve run"}
    ends: list[Any] = []

    class Watched(live_page.Page):
        def open(self, folder: Path) -> str | None:
            url = super().open(folder)
            with get(f"{url}/runs") as answer:
                assert json.load(answer) == {"runs": ["run"], "live": live}
            self.told = get(f"{url}/runs/run/events")
            return url

        def __exit__(self, *error: Any) -> None:
            assert Path(live["report"]).is_file()
            with self.told:
                messages = (json.loads(part[len(b"data: ") :]) for part in self.told if part.startswith(b"data: "))
                ends.append(next(one["health"] for one in messages if one["health"]["state"] == "Finished"))
            super().__exit__(*error)

    monkeypatch.setattr(live_page, "Page", Watched)
    code, _, said = call(*line, "--updates", "200")
    assert code == 0, said
    assert ends[0]["update"] == 200


@NEEDS
def test_ports_and_names(line: list[str], call: Call) -> None:
    """The default port may be in use; a port given with `--port` must be free before training starts."""
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with contextlib.suppress(OSError):  # another program has it: that will do
            taken.bind(("127.0.0.1", live_page.PORTS[0]))
            taken.listen()
        with training(line, "--allow-host", "hub.example") as (_, url):
            port = int(url.rpartition(":")[2])
            assert port != live_page.PORTS[0]
            for host in ("localhost:9000", "hub.example", f"127.0.0.1:{port}"):
                with get(f"{url}/runs", host) as answer:
                    assert answer.status == 200
            with pytest.raises(urllib.error.HTTPError, match="421"):
                get(f"{url}/runs", "evil.example")
            code, _, said = call(*line, "--updates", "1", "--port", port)
            assert code == 1
            assert f"cannot listen at http://127.0.0.1:{port}: Address already in use" in said


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--port", "9000"], "`--port` requires `--live`."),
        (["--allow-host", "hub.example"], "`--allow-host` requires `--live`."),
        (["--live", "--port", "65536"], "`--port` must be a whole number from 0 to 65535; got 65536."),
        pytest.param(["--live", "--allow-host", "a b"], "`--allow-host` must be a name", marks=NEEDS),
    ],
    ids=lambda case: " ".join(case) if isinstance(case, list) else "",
)
def test_wrong_options_of_live_page(call: Call, options: list[str], message: str) -> None:
    code, _, said = call("train", "python-docs", *options, "--updates", "1")
    assert code == 2
    assert message in said
    assert list(Path().iterdir()) == []


def test_without_the_packages_nothing_is_trained(monkeypatch: pytest.MonkeyPatch, call: Call) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "uvicorn" else object())
    code, _, said = call("train", "python-docs", "--live", "--updates", "1")
    assert code == 2
    assert "`recurra train --live` needs the package uvicorn, which is not installed." in said
    assert "pip install 'recurra[serve]'" in said
    assert list(Path().iterdir()) == []


def test_training_continues_if_live_server_fails_to_start(
    line: list[str], monkeypatch: pytest.MonkeyPatch, call: Call
) -> None:
    monkeypatch.setattr("recurra.system.optional_dependencies.require", lambda *_: None)
    monkeypatch.setattr(sys, "executable", "/bin/false")
    code, _, said = call(*line, "--updates", "20")
    assert code == 0
    assert "live      no page: its server did not start; training continues without it" in said


def test_live_server_runs_in_same_python_without_shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The name of the run directory never reaches a shell."""
    recorder = tmp_path / "recorder"
    recorder.write_text("#!/bin/sh\nprintf '%s\\n' \"$@\" > arguments\necho http://127.0.0.1:1\n", encoding="utf-8")
    recorder.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(recorder))
    with live_page.Page(names=["lab.local"]) as page:
        assert page.open(Path("a; touch b")) == "http://127.0.0.1:1"
    found = Path("arguments").read_text(encoding="utf-8").splitlines()
    assert found == ["-m", "recurra.web.live_process", "a; touch b", "8000,0", "lab.local"]
    assert not Path("b").exists()


@pytest.mark.parametrize("error", [None, RecurraError("it failed."), KeyboardInterrupt()], ids=str)
def test_unresponsive_live_server_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException | None
) -> None:
    """The server ignores the request to end, after a success, an error or a second Ctrl-C."""
    deaf = tmp_path / "deaf"
    deaf.write_text("#!/bin/sh\necho http://127.0.0.1:1\nexec sleep 1000\n", encoding="utf-8")
    deaf.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(deaf))
    monkeypatch.setattr(live_page, "END_TIMEOUT_SECONDS", 0)
    with contextlib.suppress(RecurraError, KeyboardInterrupt), live_page.Page() as page:
        assert page.open(tmp_path) == "http://127.0.0.1:1"
        process = page._process
        assert process is not None
        assert os.getsid(process.pid) != os.getsid(0)  # Ctrl-C on a terminal reaches the training alone
        if error is not None:
            raise error
    assert process is not None
    assert process.returncode == -signal.SIGKILL
