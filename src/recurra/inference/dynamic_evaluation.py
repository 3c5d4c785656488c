"""Dynamic evaluation: the model predicts each segment of a text, and then learns from it.

Source: Krause, Kahembwe, Murray and Renals, Dynamic evaluation of neural sequence models (2018), arXiv:1709.07432. The
text is divided into segments s_1, s_2, …; L(s_i) is the mean loss per character with the parameters before s_i:

    theta_i = theta_{i-1} - rate · dL(s_i)/dtheta · scale + decay · norm · (theta_0 - theta_{i-1})

    sgd   scale = 1, norm = 1 (decay 0 by default, the paper's first rule)
    rms   scale = 1 / (RMS + mean(RMS)), norm = min(RMS / mean(RMS), 1 / decay), RMS = sqrt(mean of (dL)^2)

theta_0 are the saved parameters. RMS (the paper's MS_g) is measured once for each parameter, on the training text with
theta_0; RMSprop in contrast updates a moving average. Two things differ from the paper:

- The paper measures RMS on the whole training text in minibatches. Here `SAMPLES` segments from all parts of the text
  are read in one stream.
- The paper adds 1e-5 to RMS. Parameters of symbols that were rare in the segments then grow without bound: the loss of
  a Chinese novel rose from 5.5 to 139 nats. Here the mean of RMS is added, which prevents it.
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
PLACES, RUN = 25, 16  # places in the training text, and consecutive segments at each
SAMPLES = PLACES * RUN
RATE_HINT = "give a smaller `--dynamic-rate`."


@dataclass(frozen=True, kw_only=True)
class DynamicConfig:
    """The settings of dynamic evaluation.

    Args:
        method: "sgd" or "rms".
        rate: the learning rate; None for the method's default.
        decay: the decay toward the saved parameters, from 0 to 1; None for the method's default.
        segment: number of characters of a segment.

    Raises:
        UsageError: if a value has a wrong type or is out of range.
    """

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
    """A `Predictor` that learns from each segment after predicting it. With rate 0 it equals `StaticPredictor`.

    `pull` and `step` (1, N) hold, for each parameter, the rate of its return to the saved value and its learning rate.
    If a segment arrives in several pieces, each call of `read` reads the segment again from its beginning. The result
    therefore has the same bits for every division of a text into pieces. A segment ends before the id `document_end`,
    and the state is set to zero there.
    """

    def __init__(
        self, network: DynamicNetwork, pull: Vector, step: Vector, segment: int, document_end: int | None = None
    ) -> None:
        self._network, self._pull, self._step, self._segment = network, pull, step, segment
        self._document_end = document_end
        self._waiting: tuple[Ids, Ids] = (np.zeros(0, np.int64), np.zeros(0, np.int64))

    def read(self, inputs: Ids, targets: Ids) -> Iterator[Logs]:
        """Implement `Predictor.read`."""
        places = [0, *np.flatnonzero(inputs == self._document_end).tolist(), len(inputs)]
        for start, stop in itertools.pairwise(places):
            if start < stop and inputs[start] == self._document_end:
                self._end_document()
            yield from self._read(inputs[start:stop], targets[start:stop])

    def _end_document(self) -> None:
        """Learn from the incomplete segment, and start with a zero state."""
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
    settings: DynamicConfig,
    learned: LongIds | None,
    document_end: int | None = None,
) -> DynamicPredictor:
    """Return a predictor that learns, with a copy of the parameters.

    Args:
        config: the network's settings.
        parameters: the saved parameters by name.
        state: the state before the text.
        settings: the settings of dynamic evaluation.
        learned: the ids of the training text; only "rms" needs them.
        document_end: the id that ends a document, or None.

    Raises:
        TextError: if the method is "rms" and there is no training text of more than one segment.
    """
    network = DynamicNetwork(config, parameters, state, settings.segment)
    if settings.method == "sgd":
        pull, step = sgd_steps(settings, network.gradient)
    elif learned is None or len(learned) <= settings.segment:
        raise TextError(
            'the method "rms" needs a training text of more than one segment to measure gradients.',
            hint="give the run directory, or use the method sgd.",
        )
    else:
        measured = DynamicNetwork(config, parameters, state, settings.segment)
        pull, step = rms_steps(settings, root_mean_squares(measured, learned, settings.segment))
    return DynamicPredictor(network, pull, step, settings.segment, document_end)


def sgd_steps(settings: DynamicConfig, like: Vector) -> tuple[Vector, Vector]:
    """Return `pull` and `step` of the method "sgd".

    The learning rate is for the mean loss of a segment; `step` is for the gradient of the summed loss.
    """
    return np.full_like(like, settings.decay), np.full_like(like, (settings.rate or 0.0) / settings.segment)


def rms_steps(settings: DynamicConfig, rms: Vector) -> tuple[Vector, Vector]:
    """Return `pull` and `step` of the method "rms". `rms` (1, N) is 0 for a parameter that never had a gradient."""
    used = rms > 0
    mean = float(np.mean(rms[used], dtype=np.float64)) if used.any() else 1.0
    pull = np.minimum(np.float32((settings.decay or 0.0) / mean) * rms, np.float32(1))
    rate = np.float32((settings.rate or 0.0) / settings.segment)
    return pull, np.where(used, rate / (rms + np.float32(mean)), np.float32(0))


def root_mean_squares(network: DynamicNetwork, ids: LongIds, segment: int) -> Vector:
    """Return the root mean square (1, N) of the gradient of each parameter over segments of the training text.

    The loss is the mean over a segment. Up to `SAMPLES` segments are read, each from the final state of the previous
    segment.
    """
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
