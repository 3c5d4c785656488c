"""A worker process: it executes the messages of the leader, and decides and writes nothing."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from typing import Any

from recurra import engines
from recurra.config import ModelConfig, TrainingConfig
from recurra.distributed.leader import OPTIMIZER, PARAMETERS
from recurra.distributed.messages import Array, Message
from recurra.distributed.ranks import LostProcessError, Ranks
from recurra.engines.engine import Engine, Start
from recurra.engines.sharding import streams_of_rank
from recurra.errors import NumericalError, RecurraError, TextError
from recurra.network.state import named_state, state_of
from recurra.system.signals import handled_by
from recurra.text import splits
from recurra.text.streams import Chunk, TextStream
from recurra.text.text import Text
from recurra.text.vocabulary import Vocabulary

Arrays = dict[str, Array]


def run_worker(ranks: Ranks, text: str | Text | None = None) -> int:
    """Execute the messages of process 0, and return the exit code in the last message.

    The worker reads the text named in the messages, or `text`. It ignores signals to stop: process 0 handles them,
    saves a checkpoint and then ends all processes.
    """
    worker = Worker(ranks, text)
    with handled_by(signal.SIG_IGN):
        while worker.code is None:
            worker.execute(*ranks.receive())
    ranks.leave()
    return worker.code


@contextlib.contextmanager
def end_workers(ranks: Ranks | None) -> Iterator[None]:
    """Run the block in process 0, and then end the workers, if any, with the exit code of the block."""
    code = 1
    try:
        yield
        code = 0
    except RecurraError as error:
        code = error.exit_code
        raise
    finally:
        if ranks is not None:
            with contextlib.suppress(LostProcessError):
                ranks.send({"do": "end", "code": code})
            ranks.leave()


class Worker:
    """The state of a worker: the text, its part of the streams, its engine, and the batches that it took last."""

    def __init__(self, ranks: Ranks, text: str | Text | None) -> None:
        self.code: int | None = None
        self._ranks, self._passed_text = ranks, text
        self._text: Text | None = None
        self._stream: TextStream
        self._engine: Engine
        self._chunk: Chunk

    def execute(self, message: Message, arrays: Arrays) -> None:
        """Execute one message of process 0."""
        match message["do"]:
            case "take":
                self._stream.cursor = message["cursor"]
                self._chunk = self._stream.take(message["count"])
            case "train":
                with contextlib.suppress(NumericalError):  # process 0 raises the same error and reports it
                    self._engine.train(*self._chunk, arrays["rates"], carry=message["carry"])
            case "zero state":
                self._engine.zero_state()
            case "state":
                self._ranks.gather_arrays(named_state(self._engine.state()))
            case "warm up":
                self._engine.warm_up()
            case "stream":
                self._stream = self._run_together(lambda: self._new_stream(message, arrays["vocabulary"]))
            case "engine":
                self._engine = self._run_together(lambda: self._new_engine(message, arrays))
            case _:
                self.code = int(message["code"])

    def _run_together(self, work: Any) -> Any:
        """Return the result of `work`, or None if it failed in any process: process 0 then ends all processes."""
        with contextlib.suppress(RecurraError):
            return self._ranks.run_together(work)
        return None

    def _new_stream(self, message: Message, code_points: Array) -> TextStream:
        training = TrainingConfig.from_table(message["training"])
        vocabulary = Vocabulary.from_code_points(code_points, is_bytes=message["bytes"])
        prepared = splits.prepare(self._read(message["text"]), training, vocabulary)
        stream = splits.create_stream(training, prepared.parts[0], prepared.newline)
        stream.part = streams_of_rank(training, self._ranks)
        return stream

    def _read(self, table: dict[str, Any]) -> Text:
        """Return the text of the message's `table`; read its files only once."""
        if self._text is None or self._text.sha256 != table["sha256"]:
            source = () if self._passed_text is not None else tuple(table["source"])
            self._text = splits.read_text(list(source), self._passed_text, table["encoding"])
        if self._text.sha256 != table["sha256"]:
            raise TextError(
                f"the text `{table['name']}` differs between processes: its sha256 is {self._text.sha256} here "
                f"and {table['sha256']} in process 0.",
                hint="copy the same text to the same path on every machine.",
            )
        return self._text

    def _new_engine(self, message: Message, arrays: Arrays) -> Engine:
        config = ModelConfig.from_table(message["model"])
        start = Start(
            {name.removeprefix(PARAMETERS): array for name, array in arrays.items() if name.startswith(PARAMETERS)},
            {name: arrays[OPTIMIZER + name] for name in message["optimizer"]} if "optimizer" in message else None,
            state_of(config, arrays) if "state.h" in arrays else None,
            message["done"],
        )
        return engines.create(config, TrainingConfig.from_table(message["training"]), start, self._ranks)
