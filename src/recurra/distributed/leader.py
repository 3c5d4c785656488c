"""The leader process: it trains alone, or sends every step of the training to the worker processes.

The leading process is a training like any other, with all its decisions, files and words; only its engine and its
stream tell the helpers, who sit in `helper`, what to do at the same time. So nothing can be decided differently in two
processes, and what a training writes does not hang on how many there are.
"""

from __future__ import annotations

from recurra import engines
from recurra.config import ModelConfig, TrainingConfig
from recurra.distributed.ranks import Ranks
from recurra.engines.engine import Array, Batches, Engine, Rates, Start, TrainResult
from recurra.engines.sharding import streams_of_rank
from recurra.network.network import State
from recurra.network.state import join_states, named_state, state_of
from recurra.text.id_file import Ids
from recurra.text.splits import PreparedText, create_stream
from recurra.text.streams import Cursor, TextStream

PARAMETERS, OPTIMIZER = "parameters/", "optimizer/"  # before the names of arrays that are sent


class SingleProcess:
    """One process: its own engine, and all the streams."""

    size = 1

    def stream(self, training: TrainingConfig, ids: Ids, newline: int | None) -> TextStream:
        """How `training` reads `ids`."""
        return create_stream(training, ids, newline)

    def engine(self, config: ModelConfig, training: TrainingConfig, start: Start) -> Engine:
        """What computes."""
        return engines.create(config, training, start)


SINGLE_PROCESS = SingleProcess()


class SeveralProcesses(SingleProcess):
    """Several processes, this one being the first; all of them read the text that is `learned`."""

    def __init__(self, ranks: Ranks, learned: PreparedText) -> None:
        self._ranks, self._learned, self.size = ranks, learned, ranks.size

    def stream(self, training: TrainingConfig, ids: Ids, newline: int | None) -> TextStream:
        """How `training` reads `ids`, this process's part of them; the helpers take what it takes."""
        text, vocabulary = self._learned.text, self._learned.vocabulary
        part = streams_of_rank(training, self._ranks)
        stream = super().stream(training, ids, newline)
        told = {"source": list(text.source), "encoding": text.encoding, "sha256": text.sha256, "name": text.name}
        what = {"do": "stream", "text": told, "training": training.to_table(), "bytes": vocabulary.is_bytes}
        self._ranks.send(what, {"vocabulary": vocabulary.code_points})
        self._ranks.run_together(lambda: None)
        stream.part, stream.before_take = part, self._take
        return stream

    def _take(self, cursor: Cursor, count: int) -> None:
        self._ranks.send({"do": "take", "cursor": list(cursor), "count": count})

    def engine(self, config: ModelConfig, training: TrainingConfig, start: Start) -> Engine:
        """What computes, in all processes."""
        return DistributedEngine(self._ranks, config, training, start)


class DistributedEngine(Engine):
    """The engine of this process and those of the helpers as one: what each does all do.

    It trains on this process's streams of what was taken last; losses and norms are those of all streams.
    """

    def __init__(self, ranks: Ranks, config: ModelConfig, training: TrainingConfig, start: Start) -> None:
        self._ranks, self._config = ranks, config
        what = {"do": "engine", "model": config.to_table(), "training": training.to_table(), "done": start.updates_done}
        arrays = {PARAMETERS + name: array for name, array in start.parameters.items()}
        if start.optimizer_state is not None:
            what["optimizer"] = list(start.optimizer_state)
            arrays |= {OPTIMIZER + name: array for name, array in start.optimizer_state.items()}
        arrays |= {} if start.state is None else named_state(start.state)
        ranks.send(what, arrays)
        self._own = ranks.run_together(lambda: engines.create(config, training, start, ranks))
        self.name, self.block, self.device = self._own.name, self._own.block, self._own.device

    def train(self, inputs: Batches, targets: Batches, rates: Rates, *, carry: bool = True) -> TrainResult:
        self._ranks.send({"do": "train", "carry": carry}, {"rates": rates})
        return self._own.train(inputs, targets, rates, carry=carry)

    def warm_up(self) -> None:
        """Compile here, and after that in the others: they find what this process has left in the cache."""
        self._own.warm_up()
        self._ranks.send({"do": "warm up"})

    def parameters(self) -> dict[str, Array]:
        return self._own.parameters()

    def magnitudes(self) -> dict[str, float]:
        return self._own.magnitudes()

    def optimizer_state(self) -> dict[str, Array]:
        return self._own.optimizer_state()

    def state(self) -> State:
        self._ranks.send({"do": "state"})
        gathered = self._ranks.gather_arrays(named_state(self._own.state()))
        state: State = join_states([state_of(self._config, own) for own in gathered])
        return state

    def zero_state(self) -> None:
        self._ranks.send({"do": "zero state"})
        self._own.zero_state()


def processes_of(ranks: Ranks | None, learned: PreparedText) -> SingleProcess:
    """Those who train on the text that is `learned`: the processes of `ranks`, or this one alone."""
    return SINGLE_PROCESS if ranks is None else SeveralProcesses(ranks, learned)
