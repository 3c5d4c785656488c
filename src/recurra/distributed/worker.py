"""A worker process: it executes the messages of the leader, and neither decides nor writes anything."""

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
    """Do what process 0 tells, on its text or on `text`, until it ends; its exit code.

    Signals to stop are ignored here: process 0 handles them, saves, and then ends all processes.
    """
    worker = Worker(ranks, text)
    with handled_by(signal.SIG_IGN):
        while worker.code is None:
            worker.execute(*ranks.receive())
    ranks.leave()
    return worker.code


@contextlib.contextmanager
def end_workers(ranks: Ranks | None) -> Iterator[None]:
    """At the end, however it comes, let process 0 tell the helpers, if there are any, to end as it does itself."""
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
    """What a helper has: the text, its part of the streams, its engine, and what was taken last."""

    def __init__(self, ranks: Ranks, text: str | Text | None) -> None:
        self.code: int | None = None
        self._ranks, self._given = ranks, text
        self._text: Text | None = None
        self._stream: TextStream
        self._engine: Engine
        self._chunk: Chunk

    def execute(self, message: Message, arrays: Arrays) -> None:
        """One thing that was told."""
        match message["do"]:
            case "take":
                self._stream.cursor = message["cursor"]
                self._chunk = self._stream.take(message["count"])
            case "train":
                with contextlib.suppress(NumericalError):  # process 0 has the same, and tells it
                    self._engine.train(*self._chunk, arrays["rates"], carry=message["carry"])
            case "zero state":
                self._engine.zero_state()
            case "state":
                self._ranks.gather_arrays(named_state(self._engine.state()))
            case "warm up":
                self._engine.warm_up()
            case "stream":
                self._stream = self._together(lambda: self._new_stream(message, arrays["vocabulary"]))
            case "engine":
                self._engine = self._together(lambda: self._new_engine(message, arrays))
            case _:
                self.code = int(message["code"])

    def _together(self, work: Any) -> Any:
        """What `work` gives; where it fails in any process, process 0 tells the error and then the end."""
        with contextlib.suppress(RecurraError):
            return self._ranks.run_together(work)
        return None

    def _new_stream(self, message: Message, code_points: Array) -> TextStream:
        training = TrainingConfig.from_table(message["training"])
        known = Vocabulary.from_code_points(code_points, is_bytes=message["bytes"])
        learned = splits.prepare(self._read(message["text"]), training, known)
        stream = splits.create_stream(training, learned.parts[0], learned.newline)
        stream.part = streams_of_rank(training, self._ranks)
        return stream

    def _read(self, told: dict[str, Any]) -> Text:
        """The text, read once."""
        if self._text is None or self._text.sha256 != told["sha256"]:
            source = () if self._given is not None else tuple(told["source"])
            self._text = splits.read_text(list(source), self._given, told["encoding"])
        if self._text.sha256 != told["sha256"]:
            raise TextError(
                f"the text `{told['name']}` is another one here: its sha256 is {self._text.sha256}, "
                f"and in process 0 {told['sha256']}.",
                hint="every machine needs the same text in the same place.",
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
