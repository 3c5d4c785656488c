"""Dynamic evaluation: the model predicts each segment of a text first, and then learns from it.

Krause, Kahembwe, Murray and Renals, Dynamic evaluation of neural sequence models (2018), arXiv:1709.07432. The text is
cut into segments s_1, s_2, …; L is the mean loss a character of a segment, predicted with the parameters before it:

    theta_i = theta_{i-1} - rate · dL(s_i)/dtheta · scale + decay · norm · (theta_0 - theta_{i-1})

    sgd   scale = 1, norm = 1 (the paper's first rule is without decay, which here is 0 unless given)
    rms   scale = 1 / (RMS + mean(RMS)), norm = min(RMS / mean(RMS), 1 / decay), RMS = sqrt(mean of (dL)^2)

element by element, theta_0 being the saved parameters, to which rms leads back, and RMS taken once, on the training
text at theta_0 (the paper's MS_g; RMSprop itself follows a moving average). The paper takes it over all of the training
text in minibatches; here it is over `SAMPLES` segments of one stream from all over it, as they are when reading. The
paper adds 1e-5 to RMS, which lets parameters of symbols that were rare in those segments move without bound (a Chinese
novel went from 5.5 nats to 139); their mean, added in its place, does not.
"""

from __future__ import annotations

import itertools
import math
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from recurra.config import arguments
from recurra.engines.dynamic_updates import DynamicNetwork
from recurra.errors import NumericalError, TextError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from recurra.config import ModelConfig
    from recurra.engines.kernels.lanes import Vector
    from recurra.inference.surprise import Ids, Logs
    from recurra.network.network import State
    from recurra.text.id_file import Ids as LongIds

METHODS = ("sgd", "rms")
RATES = {"sgd": 0.2, "rms": 0.0012}
DECAYS = {"sgd": 0.0, "rms": 0.002}
PLACES, RUN = 25, 16  # of the training text: so many places, and segments in a row at each
SAMPLES = PLACES * RUN
RATE_HINT = "give a smaller `--dynamic-rate`."


@dataclass(frozen=True, kw_only=True)
class DynamicConfig:
    """How to learn while reading: by `method`, after every `segment` characters; rate, decay None: the method's own."""

    method: str = "sgd"
    rate: float | None = None
    decay: float | None = None
    segment: int = 64

    def __post_init__(self) -> None:
        arguments.unwrap_fields(self)
        if not isinstance(self.method, str) or self.method not in METHODS:
            raise UsageError(f"`dynamic_method` must be one of {', '.join(METHODS)}; got {self.method!r}.")
        for name, defaults, highest in (("rate", RATES, math.inf), ("decay", DECAYS, 1.0)):
            value = getattr(self, name)
            if value is None:
                object.__setattr__(self, name, defaults[self.method])
            elif not (_is_number(value) and 0 <= value <= min(highest, sys.float_info.max)):
                limits = "at least 0" if highest == math.inf else "from 0 to 1"
                raise UsageError(f"`dynamic_{name}` must be a finite number, {limits}; got {value!r}.")
        if not isinstance(self.segment, int) or isinstance(self.segment, bool) or not 1 <= self.segment <= 10_000:
            raise UsageError(f"`dynamic_segment` must be a whole number from 1 to 10000; got {self.segment!r}.")


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


class DynamicPredictor:
    """A `Predictor` that learns from each segment that it has predicted; with rate 0 it equals `Steady`.

    `pull` and `step` (1, N) say for each parameter how far it goes back and along its gradient. A segment that comes in
    pieces is read anew from its beginning, so that how a text is cut changes no bit. A segment ends before the id
    `document_end`, and the state becomes zero there.
    """

    def __init__(
        self, network: DynamicNetwork, pull: Vector, step: Vector, segment: int, document_end: int | None = None
    ) -> None:
        self._network, self._pull, self._step, self._segment = network, pull, step, segment
        self._document_end = document_end
        self._waiting: tuple[Ids, Ids] = (np.zeros(0, np.int64), np.zeros(0, np.int64))

    def read(self, inputs: Ids, targets: Ids) -> Iterator[Logs]:
        """See `surprise.Predictor`."""
        places = [0, *np.flatnonzero(inputs == self._document_end).tolist(), len(inputs)]
        for start, stop in itertools.pairwise(places):
            if start < stop and inputs[start] == self._document_end:
                self._end_document()
            yield from self._read(inputs[start:stop], targets[start:stop])

    def _end_document(self) -> None:
        """Learn from the segment that waits for its end, and begin with a zero state."""
        x, y = self._waiting
        if len(x):
            self._learn(x, y)
            self._waiting = (x[:0], y[:0])
        self._network.zero_state()

    def _read(self, inputs: Ids, targets: Ids) -> Iterator[Logs]:
        start = 0
        while start < len(inputs):
            before = len(self._waiting[0])
            stop = start + self._segment - before
            x, y = (
                np.concatenate([waiting, new[start:stop]])
                for waiting, new in zip(self._waiting, (inputs, targets), strict=True)
            )
            yield self._network.read(x)[before:]
            start, self._waiting = stop, (x, y)
            if len(x) == self._segment:
                self._learn(x, y)
                self._waiting = (x[:0], y[:0])

    def _learn(self, x: Ids, y: Ids) -> None:
        try:
            self._network.differentiate(x, y)
        except NumericalError as error:
            raise NumericalError(error.message, update=error.update, tensor=error.tensor, hint=RATE_HINT) from None
        self._network.learn(self._pull, self._step)


def create_dynamic_predictor(
    config: ModelConfig,
    parameters: Mapping[str, NDArray[Any]],
    state: State,
    how: DynamicConfig,
    learned: LongIds | None,
    document_end: int | None = None,
) -> DynamicPredictor:
    """The network of `parameters`, which are copied, as one that learns; rms wants the ids that it has `learned`."""
    network = DynamicNetwork(config, parameters, state, how.segment)
    if how.method == "sgd":
        pull, step = sgd_steps(how, network.gradient)
    elif learned is None or len(learned) <= how.segment:
        raise TextError(
            "the method rms measures gradients on the text that the model was trained on, which is not here.",
            hint="give the folder of its run, or use the method sgd.",
        )
    else:
        measured = DynamicNetwork(config, parameters, state, how.segment)
        pull, step = rms_steps(how, root_mean_squares(measured, learned, how.segment))
    return DynamicPredictor(network, pull, step, how.segment, document_end)


def sgd_steps(how: DynamicConfig, like: Vector) -> tuple[Vector, Vector]:
    """`pull` and `step`, the same for every parameter; the gradient is of a segment's sum, the rate for its mean."""
    return np.full_like(like, how.decay), np.full_like(like, (how.rate or 0.0) / how.segment)


def rms_steps(how: DynamicConfig, rms: Vector) -> tuple[Vector, Vector]:
    """`pull` and `step` by the RMS (1, N) of a segment's mean gradient, which is 0 where a parameter never had one."""
    used = rms > 0
    mean = float(np.mean(rms[used], dtype=np.float64)) if used.any() else 1.0
    pull = np.minimum(np.float32((how.decay or 0.0) / mean) * rms, np.float32(1))
    rate = np.float32((how.rate or 0.0) / how.segment)
    return pull, np.where(used, rate / (rms + np.float32(mean)), np.float32(0))


def root_mean_squares(network: DynamicNetwork, ids: LongIds, segment: int) -> Vector:
    """sqrt of the mean of (dL)^2 (1, N) over `SAMPLES` segments of `ids`, or all; the state is carried through them."""
    squares, count = np.zeros_like(network.gradient), 0
    length = RUN * segment
    for place in np.linspace(0, max(len(ids) - 1 - length, 0), PLACES, dtype=np.int64).tolist():
        line = ids[place : place + length + 1]
        for start in range(0, len(line) - segment, segment):
            x, y = line[start : start + segment], line[start + 1 : start + segment + 1]
            network.read(x)
            network.differentiate(x, y)
            squares += network.gradient**2
            count += 1
    return np.sqrt(squares / np.float32(max(count, 1))) / np.float32(segment)
