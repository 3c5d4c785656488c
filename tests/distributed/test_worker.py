"""A process that helps: its own text must be that of process 0, and what fails is told."""

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
    """One of two that keeps what is told, and the errors."""

    def run_together(self, work: Any) -> Any:
        try:
            return work()
        except RecurraError as error:
            self.errors.append(error)
            raise

    def send(self, message: Any, arrays: Any = None) -> None:
        self.told.append((message, arrays or {}))

    def leave(self) -> None:
        self.told.append(("left", {}))


def fake(rank: int) -> Any:
    return FakeRanks(rank=rank, size=2, is_leader=rank == 0, cpus=1, told=[], errors=[])


def stream_of_the_lead() -> tuple[SequentialStream, list[Any]]:
    lead, learned = fake(0), prepare(from_string(BOOK), TRAINING)
    stream: Any = SeveralProcesses(lead, learned).stream(TRAINING, learned.parts[0], None)
    return stream, lead.told


def test_both_take_their_own_part_of_the_same() -> None:
    stream, told = stream_of_the_lead()
    helper = Worker(fake(1), BOOK)
    helper.execute(*told[0])
    own = stream.take(2)
    stream.take(3)
    helper.execute(*told[1])
    whole = SequentialStream(prepare(from_string(BOOK), TRAINING).parts[0], 3, 2).take(2)
    assert np.array_equal(own.inputs, whole.inputs[:, :, :1])
    assert np.array_equal(helper._chunk.inputs, whole.inputs[:, :, 1:])
    helper.execute(*told[2])
    assert helper._stream.cursor.position == 5


def test_another_text_is_refused() -> None:
    _, told = stream_of_the_lead()
    ranks = fake(1)
    Worker(ranks, BOOK + "abc\n").execute(*told[0])
    (error,) = ranks.errors
    assert isinstance(error, TextError)
    assert "is another one here: its sha256 is" in error.message
    assert "the same text in the same place" in str(error.hint)


def test_a_text_that_is_not_here_is_refused() -> None:
    _, told = stream_of_the_lead()
    told[0][0]["text"]["source"] = ["/nowhere/book.txt"]
    ranks = fake(1)
    Worker(ranks, None).execute(*told[0])
    assert "/nowhere/book.txt" in ranks.errors[0].message


def test_an_engine_that_cannot_be_built_is_told() -> None:
    ranks = fake(1)
    training = TRAINING.to_table() | {"engine": "reference"}
    arrays = {PARAMETERS + name: a for name, a in initialize(ModelConfig(hidden_size=4), 4, seed=0).items()}
    message = {"do": "engine", "model": ModelConfig(hidden_size=4).to_table(), "training": training, "done": 0}
    Worker(ranks, BOOK).execute(message, arrays)
    assert "engine reference trains in one process" in ranks.errors[0].message


def test_the_end_and_its_code() -> None:
    helper = Worker(fake(1), BOOK)
    helper.execute({"do": "end", "code": 130}, {})
    assert helper.code == 130


@pytest.mark.parametrize(
    ("error", "code"),
    [(None, 0), (StorageError("full"), 7), (NumericalError("nan", update=1, tensor="V"), 5), (ValueError(), 1)],
)
def test_the_helpers_end_as_process_0_does(error: Exception | None, code: int) -> None:
    ranks = fake(0)

    def lead() -> None:
        with end_workers(ranks):
            if error is not None:
                raise error

    if error is None:
        lead()
    else:
        with pytest.raises(type(error)):
            lead()
    assert ranks.told == [({"do": "end", "code": code}, {}), ("left", {})]


def test_without_helpers_nobody_is_told() -> None:
    with end_workers(None):
        pass
    assert ranks_module.current() is None
