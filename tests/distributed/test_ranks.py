"""Communication between processes, the division of the streams, and the identifier of a torchrun launch."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import recurra
from processes import PATIENCE, started
from recurra.config import TrainingConfig
from recurra.distributed import ranks
from recurra.engines.sharding import parts, streams_of_rank, threads_of
from recurra.errors import TextError, UsageError
from recurra.system.system_info import is_silent, usable_cpus
from recurra.text.decoding import UndecodableError

TALK = Path(__file__).parents[1] / "helpers" / "ranks_talk.py"


@pytest.fixture(scope="module")
def reports() -> list[dict[str, Any]]:
    """Return the reports of two processes that run `ranks_talk.py`."""
    pytest.importorskip("torch", reason="several processes need PyTorch: pip install 'recurra[torch]'")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    plain = os.environ | {"PYTHONPATH": str(Path(recurra.__file__).parents[1])}
    shared = plain | {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    line, pipe = (sys.executable, TALK), subprocess.PIPE
    with contextlib.ExitStack() as held:
        both = [held.enter_context(started(line, env=shared | {"RANK": rank}, stdout=pipe)) for rank in "01"]
        return [json.loads(process.communicate(timeout=PATIENCE)[0]) for process in both]


@pytest.mark.torch
def test_send_gather_and_sum_between_two_processes(reports: list[dict[str, Any]]) -> None:
    assert [report["is_leader"] for report in reports] == [True, False]
    assert reports[1]["received"] == [{"do": "é\ud800"}, {"a": [[0, 3], [1, 4], [2, 5]], "b": [2**60]}]
    for rank, report in enumerate(reports):
        assert report["rank"] == report["together"] == rank
        assert report["gathered"] == ["from", "from!"]
        assert report["added"] == [3, 6]
        assert report["cpus"] >= 1


@pytest.mark.torch
def test_error_of_one_process_is_raised_in_all(reports: list[dict[str, Any]]) -> None:
    assert reports[0]["failed"] == ["TextError", "in process 1: no text here.", "bring one."]
    assert reports[1]["failed"] == ["TextError", "no text here.", "bring one."]
    message, hint = reports[1]["lost"]
    assert message == "another process of this training has ended, or cannot be reached."
    assert "--max-restarts" in hint


@pytest.mark.torch
def test_shards_are_summed_in_order(reports: list[dict[str, Any]]) -> None:
    for report in reports:
        assert report["losses"] == [1 / 3, 1e-9, 1 + 1 / 3, 1 + 1e-9]
        assert report["sum"] == [[0, 3, 6, 9, 12]]


def test_error_subclass_is_reported_by_its_public_class() -> None:
    def failing() -> None:
        raise UndecodableError("no such bytes.", hint="give its encoding.")

    def gather(data: bytes) -> list[bytes]:
        sent.append(data)
        return sent

    sent: list[bytes] = []
    here: Any = SimpleNamespace(gather=gather)
    with pytest.raises(UndecodableError):
        ranks.Ranks.run_together(here, failing)
    with pytest.raises(TextError, match=r"^in process 0: no such bytes\.") as caught:
        ranks.Ranks.run_together(here, lambda: None)
    assert (caught.value.exit_code, caught.value.hint) == (3, "give its encoding.")


def settings(**changes: Any) -> TrainingConfig:
    return TrainingConfig(**({"batch_size": 64, "clip_value": None} | changes))


def test_streams_are_divided_among_processes_in_groups_of_eight() -> None:
    for engine in ("auto", "torch"):
        for processes in (1, 2, 4):
            slices = parts(settings(engine=engine), processes)
            assert [part.stop - part.start for part in slices] == [64 // processes] * processes
            assert [part.start for part in slices] == list(range(0, 64, 64 // processes))
    assert parts(settings(batch_size=40, shards=4), 2) == [slice(0, 16), slice(16, 40)]  # groups of eight
    assert parts(settings(batch_size=1), 1) == [slice(0, 1)]


def test_rank_gets_its_streams_and_threads() -> None:
    assert streams_of_rank(settings(), None) == slice(0, 64)
    both: Any = [SimpleNamespace(size=2, rank=rank, cpus=3) for rank in (0, 1)]
    assert [streams_of_rank(settings(), ranks) for ranks in both] == [slice(0, 32), slice(32, 64)]
    assert threads_of(settings(), None) == usable_cpus()
    assert threads_of(settings(), both[1]) == 3
    assert threads_of(settings(threads=5), None) == threads_of(settings(threads=5), both[1]) == 5


@pytest.mark.parametrize(
    ("changes", "message", "hint"),
    [
        ({"batch_size": 1}, "must be larger than 1 to divide the streams among 4 processes; got 1", "one pro"),
        ({"engine": "reference"}, "engine `reference` trains in one process only; got 4", "--engine compiled"),
        (
            {"engine": "torch", "batch_size": 66},
            "`batch_size` must be a multiple of 4, the number of processes; got 66",
            "divide",
        ),
        (
            {"batch_size": 32},
            "shards must be a multiple of 4, the number of processes; got 2 for a batch of 32",
            "`--shards 4`",
        ),
        (
            {"shards": 6},
            "shards must be a multiple of 4, the number of processes; got 6 for a batch of 64",
            "`--shards 12`",
        ),
    ],
)
def test_batch_that_cannot_be_divided_is_refused(changes: dict[str, Any], message: str, hint: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        parts(settings(**changes), 4)
    assert hint in str(caught.value.hint)


def test_single_process_has_no_ranks(monkeypatch: pytest.MonkeyPatch) -> None:
    ranks.current.cache_clear()
    for size in (None, "1"):
        monkeypatch.delenv("WORLD_SIZE", raising=False) if size is None else monkeypatch.setenv("WORLD_SIZE", size)
        assert ranks.current() is None
        assert not is_silent()
        ranks.current.cache_clear()


@pytest.mark.parametrize(("name", "value"), [("WORLD_SIZE", "many"), ("RANK", "-1"), ("RANK", "")])
def test_invalid_environment_variable_is_refused(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ranks.current.cache_clear()
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv(name, value)
    with pytest.raises(UsageError, match=f"the environment variable {name} must be a whole number, .* got "):
        ranks.current()


def test_several_processes_need_pytorch(monkeypatch: pytest.MonkeyPatch) -> None:
    ranks.current.cache_clear()
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "1")
    assert is_silent()
    with pytest.raises(UsageError, match="a training of several processes needs PyTorch, which cannot") as caught:
        ranks.current()
    assert caught.value.hint == "pip install 'recurra[torch]'"


def test_launch_identifier_comes_from_torchrun(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TORCHELASTIC_RUN_ID", raising=False)
    assert ranks.launch() is None
    assert not ranks.is_restart()
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "mine")
    assert ranks.launch() == "mine"
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "none")
    assert ranks.launch() == f"torchrun {os.getppid()}"
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "1")
    assert ranks.is_restart()
