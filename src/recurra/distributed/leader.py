"""The leader process: it trains alone, or sends every step of the training to the worker processes.

Only the leader decides, prints and writes files, with the same trainer as a single process. Its engine and its stream
send each call to the workers, so that two processes never decide differently. With the compiled engine, the metrics,
the samples and the parameters are the same for any number of processes.
"""

from __future__ import annotations

from recurra import engines
from recurra.config import ModelConfig, TrainingConfig
from recurra.distributed.messages import Message
from recurra.distributed.ranks import Ranks
from recurra.engines.engine import Array, Batches, Engine, Rates, Start, TrainResult
from recurra.engines.sharding import streams_of_rank
from recurra.network.network import State
from recurra.network.state import join_states, named_state, state_of
from recurra.text.id_file import Ids
from recurra.text.splits import PreparedText, create_stream
from recurra.text.streams import Cursor, TextStream

PARAMETERS, OPTIMIZER = "parameters/", "optimizer/"  # prefixes of array names in messages


class SingleProcess:
    """A training in one process, which reads all streams."""

    size = 1

    def stream(self, training: TrainingConfig, ids: Ids, newline: int | None) -> TextStream:
        """Create the stream of batches of `training` from `ids`."""
        return create_stream(training, ids, newline)

    def engine(self, config: ModelConfig, training: TrainingConfig, start: Start) -> Engine:
        """Create the engine of the training."""
        return engines.create(config, training, start)


SINGLE_PROCESS = SingleProcess()


class SeveralProcesses(SingleProcess):
    """A training in several processes, of which this one is the leader; every process reads `prepared_text`."""

    def __init__(self, ranks: Ranks, prepared_text: PreparedText) -> None:
        self._ranks, self._prepared_text, self.size = ranks, prepared_text, ranks.size

    def stream(self, training: TrainingConfig, ids: Ids, newline: int | None) -> TextStream:
        """Create the stream of this process's part of the batches; the workers take the same batches."""
        text, vocabulary = self._prepared_text.text, self._prepared_text.vocabulary
        part = streams_of_rank(training, self._ranks)
        stream = super().stream(training, ids, newline)
        table = {"source": list(text.source), "encoding": text.encoding, "sha256": text.sha256, "name": text.name}
        message = {"do": "stream", "text": table, "training": training.to_table(), "bytes": vocabulary.is_bytes}
        self._ranks.send(message, {"vocabulary": vocabulary.code_points})
        self._ranks.run_together(lambda: None)
        stream.part, stream.before_take = part, self._take
        return stream

    def _take(self, cursor: Cursor, count: int) -> None:
        self._ranks.send({"do": "take", "cursor": list(cursor), "count": count})

    def engine(self, config: ModelConfig, training: TrainingConfig, start: Start) -> Engine:
        """Create the engine in all processes."""
        return DistributedEngine(self._ranks, config, training, start)


class DistributedEngine(Engine):
    """The engine of the leader, which sends each call to the engines of the workers.

    Each process trains on its part of the batches that the stream took last. The result has the losses and the norms of
    the whole batches.
    """

    def __init__(self, ranks: Ranks, config: ModelConfig, training: TrainingConfig, start: Start) -> None:
        self._ranks, self._config = ranks, config
        message: Message = {"do": "engine", "model": config.to_table(), "training": training.to_table()}
        message["done"] = start.updates_done
        arrays = {PARAMETERS + name: array for name, array in start.parameters.items()}
        if start.optimizer_state is not None:
            message["optimizer"] = list(start.optimizer_state)
            arrays |= {OPTIMIZER + name: array for name, array in start.optimizer_state.items()}
        arrays |= {} if start.state is None else named_state(start.state)
        ranks.send(message, arrays)
        self._engine = ranks.run_together(lambda: engines.create(config, training, start, ranks))
        self.name, self.block, self.device = self._engine.name, self._engine.block, self._engine.device

    def train(self, inputs: Batches, targets: Batches, rates: Rates, *, carry: bool = True) -> TrainResult:
        self._ranks.send({"do": "train", "carry": carry}, {"rates": rates})
        return self._engine.train(inputs, targets, rates, carry=carry)

    def warm_up(self) -> None:
        """Compile the kernels in this process; the workers then load them from the disk cache."""
        self._engine.warm_up()
        self._ranks.send({"do": "warm up"})

    def parameters(self) -> dict[str, Array]:
        return self._engine.parameters()

    def magnitudes(self) -> dict[str, float]:
        return self._engine.magnitudes()

    def optimizer_state(self) -> dict[str, Array]:
        return self._engine.optimizer_state()

    def state(self) -> State:
        self._ranks.send({"do": "state"})
        gathered = self._ranks.gather_arrays(named_state(self._engine.state()))
        state: State = join_states([state_of(self._config, arrays) for arrays in gathered])
        return state

    def zero_state(self) -> None:
        self._ranks.send({"do": "zero state"})
        self._engine.zero_state()


def processes_of(ranks: Ranks | None, prepared_text: PreparedText) -> SingleProcess:
    """Return the processes that train on `prepared_text`: all of `ranks`, or only this one if `ranks` is None."""
    return SINGLE_PROCESS if ranks is None else SeveralProcesses(ranks, prepared_text)
