"""Presets, and the automatic choice of settings for the length of a text and a time limit.

A setting that a preset leaves out has the default of `ModelConfig` or `TrainingConfig`. The defaults are preset
`classic`: the min-char-rnn recipe, as in the report that this project reproduces (KTH DD2424, assignment 4).
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any, NamedTuple

_BATCHES: dict[str, Any] = {
    "optimizer": "adam",
    "schedule": "cosine",
    "clip_value": None,
    "initial_scale": None,
    "validation": 0.1,
    "log_every": 20,
    "sample_every": 200,
}
_GRU_128 = {"cell": "gru", "hidden_size": 128, "batch_size": 16, "sequence_length": 64, "learning_rate": 0.01}
_GRU_256 = {"cell": "gru", "hidden_size": 256, "batch_size": 32, "sequence_length": 64, "learning_rate": 0.005}
_LSTM_256 = {
    "cell": "lstm", "hidden_size": 256, "layers": 2, "batch_size": 32, "sequence_length": 96, "learning_rate": 0.004,
}  # fmt: skip
_LSTM_512 = _LSTM_256 | {"hidden_size": 512, "learning_rate": 0.003}

PRESETS: dict[str, dict[str, Any]] = {
    "auto": {"time_limit": 600.0},  # `choose_settings` adds the others
    "classic": {},
    "small": _BATCHES | _GRU_256 | {"updates": 500},
    "medium": _BATCHES | _LSTM_256 | {"dropout": 0.2, "updates": 2500},
    "large": _BATCHES | _LSTM_512 | {"dropout": 0.5, "updates": 2650},
}

RENAMED = {"seed": "classic"}  # from the earlier names of presets, in old run directories and scripts


def current_preset(name: Any) -> Any:
    """Return the current name of a renamed preset; return any other `name` unchanged."""
    return RENAMED.get(name, name) if isinstance(name, str) else name


class AutoNetwork(NamedTuple):
    """A network that preset `auto` can choose.

    Attributes:
        seconds: the least training time for this network
        characters: the least length of a text for this network
        settings: the settings of the network and its training
        speed: characters per second of training on two cores
        losses: pairs of characters read so far and held-out nats per character, measured on tiny Shakespeare
        dropout: the dropout probability for each bound on the number of epochs in `DROPOUT_EPOCHS`
    """

    seconds: float
    characters: int
    settings: dict[str, Any]
    speed: float
    losses: tuple[tuple[float, float], ...]
    dropout: tuple[float, ...] = ()

    @property
    def max_epochs(self) -> float:
        """The largest number of epochs; with more, the network would memorize the text."""
        return MAX_EPOCHS_WITH_DROPOUT if self.dropout else MAX_EPOCHS

    def dropout_for(self, epochs: float) -> float:
        """Return the dropout probability for a training of this number of `epochs`."""
        bounds = zip(DROPOUT_EPOCHS, self.dropout, strict=False)
        return next((probability for bound, probability in bounds if epochs <= bound), 0.0)


DROPOUT_EPOCHS = (1.5, 4.0, 7.0, math.inf)


AUTO_NETWORKS = (
    AutoNetwork(0, 0, _GRU_128, 170e3, ((0.3e6, 2.04), (0.41e6, 1.894), (0.61e6, 1.856))),
    AutoNetwork(6, 100_000, _GRU_256, 90e3, ((0.31e6, 1.95), (0.61e6, 1.807))),
    AutoNetwork(60, 250_000, _LSTM_256, 32e3, ((6.8e6, 1.465), (13.8e6, 1.457)), (0.0, 0.1, 0.2, 0.35)),
    AutoNetwork(750, 500_000, _LSTM_512, 9.4e3, ((8.14e6, 1.435), (8.91e6, 1.4315)), (0.0, 0.2, 0.35, 0.5)),
)
MAX_EPOCHS, MAX_EPOCHS_WITH_DROPOUT = 12.0, 40.0
MIN_UPDATES = 20  # in an epoch; for a short text, sequences are shorter and fewer
MIN_SEQUENCE_LENGTH = 25  # characters; a text that is shorter than a sequence is refused
MIN_SPLIT_CHARACTERS = 100  # in a text of which a part is held out
MIN_HELD_OUT_CHARACTERS = 25  # in the part that is held out


class PresetChoice(NamedTuple):
    """The choice of preset `auto`.

    Attributes:
        network: the chosen network
        settings: its settings, fitted to the text
        limited_by: "time", "text" or both, whichever is too short for the next larger network
    """

    network: AutoNetwork
    settings: dict[str, Any]
    limited_by: tuple[str, ...]


def choose_settings(characters: int, seconds: float) -> PresetChoice:
    """Choose the best network for which a text of `characters` and a time of `seconds` are long enough."""
    index = max(
        i for i, network in enumerate(AUTO_NETWORKS) if network.seconds <= seconds and network.characters <= characters
    )
    network = AUTO_NETWORKS[index]
    epochs = min(network.speed * seconds / max(characters, 1), network.max_epochs)
    T = min(network.settings["sequence_length"], max(characters // MIN_UPDATES, MIN_SEQUENCE_LENGTH))
    B = min(network.settings["batch_size"], max(characters // (MIN_UPDATES * T), 1))
    fitted = {
        "sequence_length": T,
        "batch_size": B,
        "dropout": network.dropout_for(epochs),
        "max_epochs": network.max_epochs,
    }
    if characters < MIN_SPLIT_CHARACTERS:
        fitted["validation"] = 0.0
    elif characters < MIN_HELD_OUT_CHARACTERS / _BATCHES["validation"]:
        fitted["validation"] = MIN_HELD_OUT_CHARACTERS / characters
    limited_by: tuple[str, ...] = ()
    if index + 1 < len(AUTO_NETWORKS):
        better = AUTO_NETWORKS[index + 1]
        too_short = {"time": better.seconds > seconds, "text": better.characters > characters}
        limited_by = tuple(name for name, is_limit in too_short.items() if is_limit)
    return PresetChoice(network, _BATCHES | network.settings | fitted, limited_by)


def expected_loss(network: AutoNetwork, read: float) -> float:
    """Return the held-out loss in nats per character to expect after training on `read` characters.

    The value is interpolated between measurements on tiny Shakespeare, linearly in log `read`.
    """
    points = network.losses
    if read <= points[0][0]:
        return points[0][1]
    for (x0, y0), (x1, y1) in pairwise(points):
        if read <= x1:
            return y0 + (y1 - y0) * math.log(read / x0) / math.log(x1 / x0)
    return points[-1][1]


# The settings that at least one preset sets.
PRESET_SETTINGS = frozenset(
    name for settings in (*PRESETS.values(), choose_settings(0, 0).settings) for name in settings
)
