"""Settings: frozen dataclasses, checked when built, and their way to and from TOML tables."""

from __future__ import annotations

import dataclasses
import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self, TypedDict

from recurra.config import arguments
from recurra.config.presets import PRESETS, choose
from recurra.errors import UsageError

# Each cell with the activations that it takes, the usual one first; the first cell is the default.
CELLS = {"elman": ("tanh", "relu"), "lstm": ("tanh",), "gru": ("tanh",)}
DEFAULT_CELL = next(iter(CELLS))
ACTIVATIONS = ("tanh", "relu")
ENGINES = ("auto", "compiled", "reference", "torch")
DEVICES = ("auto", "cpu", "cuda")
OPTIMIZERS = ("sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam", "adamw")
ORDERS = ("sequential", "shuffled", "random")
DOCUMENTS = ("none", "lines")
SCHEDULES = ("constant", "step", "exponential", "cosine")

MAX_SEED = 2**63 - 1
NONE = "none"


def _require(good: bool, name: str, expected: str, got: object) -> None:
    if not good:
        raise arguments.wrong(name, expected, got)


def _require_integer(name: str, value: object, *, low: int, high: int = MAX_SEED) -> None:
    good = isinstance(value, int) and not isinstance(value, bool) and low <= value <= high
    _require(good, name, f"a whole number, between {low} and {high}", value)


def _require_number(name: str, value: object, *, low: float, high: float = math.inf, open_low: bool = False) -> None:
    good = isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= sys.float_info.max
    if good:
        assert isinstance(value, (int, float))  # noqa: S101 - narrows the type for mypy only
        good = (low < value if open_low else low <= value) and value <= high
    if open_low and low == 0 and high == math.inf:
        expected = "a positive finite number"
    elif high == math.inf:
        expected = f"a finite number, at least {low:g}"
    else:
        expected = f"a number from {low:g} to {high:g}"
    _require(good, name, expected, value)


def _require_choice(name: str, value: object, choices: tuple[str, ...]) -> None:
    _require(isinstance(value, str) and value in choices, name, "one of " + ", ".join(choices), value)


def _is_none(value: object) -> bool:
    """Return True for None and the word that stands for it in a table."""
    return value is None or (isinstance(value, str) and value == NONE)


class _Table:
    """To and from a flat table of settings, as TOML and safetensors metadata hold it."""

    def to_table(self) -> dict[str, Any]:
        """Every setting by name; None is written "none", since TOML has no null."""
        pairs = ((field.name, getattr(self, field.name)) for field in dataclasses.fields(self))  # type: ignore[arg-type]
        return {name: NONE if value is None else value for name, value in pairs}

    @classmethod
    def from_table(cls, table: dict[str, Any]) -> Self:
        """The settings that a table holds; an unknown name is an error, a missing one has its default."""
        arguments.require_known(table, [field.name for field in dataclasses.fields(cls)])  # type: ignore[arg-type]
        return cls(**{name: None if _is_none(value) else value for name, value in table.items()})


@dataclass(frozen=True, kw_only=True)
class ModelConfig(_Table):
    """What the network is: its cell, m = `hidden_size` and the number of stacked `layers`.

    Only the elman cell takes an `activation` other than tanh. The number of characters K belongs to the vocabulary.
    """

    cell: str = DEFAULT_CELL
    activation: str = "tanh"
    hidden_size: int = 100
    layers: int = 1

    def __post_init__(self) -> None:
        arguments.make_plain(self)
        _require_choice("cell", self.cell, tuple(CELLS))
        _require_choice("activation", self.activation, ACTIVATIONS)
        taken = CELLS[self.cell]
        _require(self.activation in taken, "activation", f"{' or '.join(taken)} with cell {self.cell}", self.activation)
        _require_integer("hidden_size", self.hidden_size, low=1, high=16384)
        _require_integer("layers", self.layers, low=1, high=64)


@dataclass(frozen=True, kw_only=True)
class TrainingConfig(_Table):
    """How the network learns; the defaults are preset `seed`, the mission's training.

    `learning_rate` is the highest of the `schedule`, reached after `warm_up` updates; step, exponential and cosine end
    at `final_rate` of it. Losses and gradients are sums over the `sequence_length` · `batch_size` characters of an
    update, and so is what `clip_value` and `clip_norm` bound. `initial_scale` None means the cells' own start.

    `updates` counts gradient steps; with a `time_limit` in seconds they are as many as fit, and no more than
    `max_epochs` (0: any number). A schedule falls over `schedule_updates` (0: over all `updates`): if the time limit
    ends a training before the last update that was planned, `updates` becomes the number done and `schedule_updates`
    the number planned. The text's tail is held out: the share `validation`, by which the best model is chosen, and
    after it `test`, by which it is judged. `patience` evaluations without a better held-out loss (0: any number) end
    the training, and each `plateau` of them (0: never) halve the rate. With `ema` the model is the moving average of
    the parameters, `ema` of the old average and 1 - `ema` of the new parameters at each update: the average is
    evaluated, sampled from and saved as the best model.

    The text is read in `order`: sequential has the state carried from update to update; shuffled visits chunks of
    `sequence_length` in a new order every epoch, random draws where each begins, and both begin every chunk with a zero
    state. With `documents` "lines" every line is read by itself, from a zero state and a newline to its own newline, in
    updates of `batch_size` lines of like length; one longer than `sequence_length` is cut into pieces that are read so.

    Every `log_every` updates a record is written, every `sample_every` a sample of `sample_length` characters (0:
    never), every `checkpoint_every` seconds a checkpoint; every `evaluate_every` updates (0: once an epoch and at the
    end) the held-out text is scored.

    A batch is computed in `shards` (0: 1, 2, 4 or 8, of 16 streams or more each) by as many `threads` (0: a CPU each);
    the shards decide its bits, the threads only its speed. Engine `torch` computes on a `device`, the GPU where `auto`
    finds one; there are no shards to it.
    """

    preset: str = "seed"
    updates: int = 100_000
    time_limit: float | None = None
    max_epochs: float = 0.0
    seed: int = 0
    sequence_length: int = 25
    batch_size: int = 1
    order: str = "sequential"
    documents: str | None = None
    optimizer: str = "adagrad"
    learning_rate: float = 0.1
    schedule: str = "constant"
    schedule_updates: int = 0
    warm_up: int = 0
    final_rate: float = 0.01
    clip_value: float | None = 5.0
    clip_norm: float | None = None
    dropout: float = 0.0
    initial_scale: float | None = 0.01
    validation: float = 0.0
    test: float = 0.0
    patience: int = 0
    plateau: int = 0
    ema: float = 0.0
    log_every: int = 500
    sample_every: int = 10_000
    sample_length: int = 200
    evaluate_every: int = 0
    checkpoint_every: float = 30.0
    keep: int = 3
    engine: str = "auto"
    device: str = "auto"
    shards: int = 0
    threads: int = 0

    def __post_init__(self) -> None:
        arguments.make_plain(self)
        _require_choice("preset", self.preset, tuple(PRESETS))
        _require_integer("updates", self.updates, low=0)
        if self.time_limit is not None:
            _require_number("time_limit", self.time_limit, low=0, open_low=True)
        _require_number("max_epochs", self.max_epochs, low=0)
        _require_integer("seed", self.seed, low=0)
        _require_integer("sequence_length", self.sequence_length, low=1, high=65536)
        _require_integer("batch_size", self.batch_size, low=1, high=65536)
        _require_choice("order", self.order, ORDERS)
        _require_choice("documents", NONE if self.documents is None else self.documents, DOCUMENTS)
        fits = self.documents is None or self.order == "sequential"
        _require(fits, "order", "sequential with documents, whose updates are always shuffled", self.order)
        _require_choice("optimizer", self.optimizer, OPTIMIZERS)
        _require_number("learning_rate", self.learning_rate, low=0, open_low=True)
        _require_choice("schedule", self.schedule, SCHEDULES)
        _require_integer("schedule_updates", self.schedule_updates, low=0)
        _require_integer("warm_up", self.warm_up, low=0)
        _require_number("final_rate", self.final_rate, low=0, high=1)
        for name in ("patience", "plateau"):
            value = getattr(self, name)
            _require_integer(name, value, low=0)
            _require(not value or bool(self.validation), name, "0 where `validation` is 0", value)
        _require_number("ema", self.ema, low=0, high=1 - 1e-6)
        if self.clip_value is not None:
            _require_number("clip_value", self.clip_value, low=0, open_low=True)
        if self.clip_norm is not None:
            _require_number("clip_norm", self.clip_norm, low=0, open_low=True)
        _require_number("dropout", self.dropout, low=0, high=0.95)
        _require_integer("shards", self.shards, low=0, high=1024)
        _require_integer("threads", self.threads, low=0, high=1024)
        if self.initial_scale is not None:
            _require_number("initial_scale", self.initial_scale, low=0, open_low=True)
        _require_number("validation", self.validation, low=0, high=0.9)
        _require_number("test", self.test, low=0, high=0.9)
        if self.validation + self.test > 0.95:
            raise UsageError(
                f"`validation` and `test` must leave a text to learn from; got {self.validation:g} and {self.test:g}."
            )
        _require_integer("log_every", self.log_every, low=1)
        _require_integer("sample_every", self.sample_every, low=0)
        _require_integer("sample_length", self.sample_length, low=1)
        _require_integer("evaluate_every", self.evaluate_every, low=0)
        _require_number("checkpoint_every", self.checkpoint_every, low=0)
        _require_integer("keep", self.keep, low=1)
        _require_choice("engine", self.engine, ENGINES)
        _require_choice("device", self.device, DEVICES)
        fits = self.device != "cuda" or self.engine == "torch"
        _require(fits, "device", f"auto or cpu with engine {self.engine}", self.device)


class ModelSettings(TypedDict, total=False):
    """The fields of `ModelConfig` as keyword arguments."""

    cell: str
    activation: str
    hidden_size: int
    layers: int


class TrainingSettings(TypedDict, total=False):
    """The fields of `TrainingConfig` as keyword arguments: durations such as "10m" besides seconds, "none" for None."""

    preset: str
    updates: int
    time_limit: float | str | None
    max_epochs: float
    seed: int
    sequence_length: int
    batch_size: int
    order: str
    documents: str | None
    optimizer: str
    learning_rate: float
    schedule: str
    schedule_updates: int
    warm_up: int
    final_rate: float
    clip_value: float | str | None
    clip_norm: float | str | None
    dropout: float
    initial_scale: float | str | None
    validation: float
    test: float
    patience: int
    plateau: int
    ema: float
    log_every: int
    sample_every: int
    sample_length: int
    evaluate_every: int
    checkpoint_every: float | str
    keep: int
    engine: str
    device: str
    shards: int
    threads: int


class Settings(ModelSettings, TrainingSettings, total=False):
    """The keyword arguments of `recurra.train`."""


DURATIONS = {"s": 1.0, "m": 60.0, "h": 3600.0}
TIMES = ("time_limit", "checkpoint_every")


def seconds_of(name: str, value: object) -> object:
    """The seconds in a duration such as 90s, 10m or 2h, or in a number; what is no text is given back."""
    value = arguments.plain(value)
    if not isinstance(value, str) or value == NONE:
        return value
    unit = DURATIONS.get(value[-1:])
    try:
        return float(value) if unit is None else float(value[:-1]) * unit
    except ValueError:
        raise UsageError(f"`{name}` must be a duration such as 90s, 10m or 2h; got {arguments.shown(value)}.") from None


def configs(settings: Mapping[str, Any], characters: int = 0) -> tuple[ModelConfig, TrainingConfig]:
    """The settings by name on top of those of their preset, told apart; UsageError for a name that neither has.

    Preset `auto` chooses for a text of so many `characters`. Updates and a time limit exclude each other: where one is
    given, the preset's other does not hold.
    """
    settings = in_seconds(settings)
    if settings.get("updates") is not None and not _is_none(settings.get("time_limit")):
        raise UsageError("give `updates` or `time_limit`, not both.", hint="leave out one of them.")
    preset = str(settings.get("preset", TrainingConfig.preset))
    defaults = dict(PRESETS.get(preset, {}))
    if preset == "auto":
        defaults |= choose(characters, _seconds(settings, defaults)).settings
    if "updates" in settings:
        defaults["time_limit"] = None
    return told_apart(defaults | settings)


def in_seconds(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings with every duration in seconds."""
    return {**settings, **{name: seconds_of(name, settings[name]) for name in TIMES if name in settings}}


def told_apart(settings: Mapping[str, Any]) -> tuple[ModelConfig, TrainingConfig]:
    """The settings by name as those of the network and those of its training; UsageError for an unknown name."""
    of_model = {field.name for field in dataclasses.fields(ModelConfig)}
    arguments.require_known(settings, of_model | {field.name for field in dataclasses.fields(TrainingConfig)})
    return (
        ModelConfig.from_table({name: value for name, value in settings.items() if name in of_model}),
        TrainingConfig.from_table({name: value for name, value in settings.items() if name not in of_model}),
    )


def _seconds(settings: Mapping[str, Any], defaults: Mapping[str, Any]) -> float:
    """The time to choose for; one that makes no sense is told where the setting itself is checked."""
    given = settings.get("time_limit")
    return float(given if isinstance(given, (int, float)) and given > 0 else defaults["time_limit"])
