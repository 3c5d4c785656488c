"""A worker must have the same text as the leader, and it reports its errors."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from recurra.config import ModelConfig, TrainingConfig
from recurra.distributed import ranks as ranks_module
from recurra.distributed.leader import PARAMETERS, SeveralProcesses
from recurra.distributed.worker import Worker, end_workers
from recurra.errors import NumericalError, RecurraError, StorageError, TextError
from recurra.network.parameters import initialize
from recurra.text.reading import from_string
from recurra.text.splits import prepare
from recurra.text.streams import SequentialStream

TRAINING = TrainingConfig(sequence_length=3, batch_size=2, engine="auto", shards=2)
BOOK = "abc bca cab\n" * 9


class FakeRanks(SimpleNamespace):
    """One of two ranks, which keeps the sent messages and the errors in lists."""

    def run_together(self, work: Any) -> Any:
        try:
            return work()
        except RecurraError as error:
            self.errors.append(error)
            raise

    def send(self, message: Any, arrays: Any = None) -> None:
        self.sent.append((message, arrays or {}))

    def leave(self) -> None:
        self.sent.append(("left", {}))


def fake(rank: int) -> Any:
    return FakeRanks(rank=rank, size=2, is_leader=rank == 0, cpus=1, sent=[], errors=[])


def stream_of_leader() -> tuple[SequentialStream, list[Any]]:
    leader, prepared = fake(0), prepare(from_string(BOOK), TRAINING)
    stream: Any = SeveralProcesses(leader, prepared).stream(TRAINING, prepared.parts[0], None)
    return stream, leader.sent


def test_leader_and_worker_take_their_parts_of_one_batch() -> None:
    stream, messages = stream_of_leader()
    worker = Worker(fake(1), BOOK)
    worker.execute(*messages[0])
    chunk = stream.take(2)
    stream.take(3)
    worker.execute(*messages[1])
    whole = SequentialStream(prepare(from_string(BOOK), TRAINING).parts[0], 3, 2).take(2)
    assert np.array_equal(chunk.inputs, whole.inputs[:, :, :1])
    assert np.array_equal(worker._chunk.inputs, whole.inputs[:, :, 1:])
    worker.execute(*messages[2])
    assert worker._stream.cursor.position == 5


def test_worker_refuses_different_text() -> None:
    _, messages = stream_of_leader()
    ranks = fake(1)
    Worker(ranks, BOOK + "abc\n").execute(*messages[0])
    (error,) = ranks.errors
    assert isinstance(error, TextError)
    assert "differs between processes: its sha256 is" in error.message
    assert "the same text to the same path" in str(error.hint)


def test_worker_reports_missing_text() -> None:
    _, messages = stream_of_leader()
    messages[0][0]["text"]["source"] = ["/nowhere/book.txt"]
    ranks = fake(1)
    Worker(ranks, None).execute(*messages[0])
    assert "/nowhere/book.txt" in ranks.errors[0].message


def test_worker_reports_engine_that_cannot_be_built() -> None:
    ranks = fake(1)
    training = TRAINING.to_table() | {"engine": "reference"}
    arrays = {PARAMETERS + name: a for name, a in initialize(ModelConfig(hidden_size=4), 4, seed=0).items()}
    message = {"do": "engine", "model": ModelConfig(hidden_size=4).to_table(), "training": training, "done": 0}
    Worker(ranks, BOOK).execute(message, arrays)
    assert "engine `reference` trains in one process" in ranks.errors[0].message


def test_end_message_sets_exit_code() -> None:
    worker = Worker(fake(1), BOOK)
    worker.execute({"do": "end", "code": 130}, {})
    assert worker.code == 130


@pytest.mark.parametrize(
    ("error", "code"),
    [(None, 0), (StorageError("full"), 7), (NumericalError("nan", update=1, tensor="V"), 5), (ValueError(), 1)],
)
def test_workers_end_with_exit_code_of_leader(error: Exception | None, code: int) -> None:
    ranks = fake(0)

    def run_leader() -> None:
        with end_workers(ranks):
            if error is not None:
                raise error

    if error is None:
        run_leader()
    else:
        with pytest.raises(type(error)):
            run_leader()
    assert ranks.sent == [({"do": "end", "code": code}, {}), ("left", {})]


def test_single_process_has_no_workers_to_end() -> None:
    with end_workers(None):
        pass
    assert ranks_module.current() is None
