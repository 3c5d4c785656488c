"""The settings of a training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypedDict

from recurra.config import arguments
from recurra.config.declaration import (
    HELD_OUT,
    HOW,
    NETWORK,
    NONE,
    OTHER_RUN,
    WATCH,
    Characters,
    Configuration,
    Duration,
    Number,
    OneOf,
    Whole,
    require,
    setting,
)
from recurra.config.presets import PRESETS, current_preset
from recurra.errors import UsageError

ENGINES = ("auto", "compiled", "reference", "torch")
DEVICES = ("auto", "cpu", "cuda")
HYPERPARAMETERS: Final[Mapping[str, Mapping[str, float]]] = {  # those that each optimizer uses, and their defaults
    "sgd": {},
    "momentum": {"momentum": 0.9},
    "nesterov": {"momentum": 0.9},
    "adagrad": {"epsilon": 1e-8},
    "rmsprop": {"beta2": 0.99, "epsilon": 1e-8},
    "adam": {"beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8},
    "adamw": {"beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8, "weight_decay": 0.01},
}
OPTIMIZERS = tuple(HYPERPARAMETERS)
ORDERS = ("sequential", "shuffled", "random")
DOCUMENTS = (NONE, "lines")
SCHEDULES = ("constant", "step", "exponential", "cosine")

_KEPT_PRESET = "leave it out: a run keeps the settings of its preset, and those given change them."
_ONCE = "a time becomes a number of updates once, at the start: give `--updates` to train longer."


def _hyperparameter(name: str, help: str, values: Number) -> dict[str, Any]:
    """Return the metadata of a setting that some optimizers use; its help names them and their defaults."""
    users: dict[float, list[str]] = {}
    for optimizer, used in HYPERPARAMETERS.items():
        if name in used:
            users.setdefault(used[name], []).append(optimizer)
    defaults = "; ".join(f"{default:g} for {', '.join(optimizers)}" for default, optimizers in users.items())
    return setting(f"{help}: {defaults}", values, HOW, optional=True, fixed=OTHER_RUN, default_words="by optimizer")


@dataclass(frozen=True, kw_only=True)
class TrainingConfig(Configuration):
    """The settings of a training; the defaults are preset `classic`, the min-char-rnn recipe.

    `learning_rate` is the highest of the `schedule`, reached after `warm_up` updates; step, exponential and cosine end
    at `final_rate` of it. Losses and gradients are sums over the `sequence_length` · `batch_size` characters of an
    update, and so is what `clip_value` and `clip_norm` bound. `initial_scale` None means the cells' own start.

    `momentum`, `beta1`, `beta2`, `epsilon` and `weight_decay` are for the optimizers that use them; None becomes the
    default of the optimizer, and stays None if the optimizer does not use it.

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
    never) that continues `sample_prompt`, every `checkpoint_every` seconds a checkpoint; every `evaluate_every` updates
    (0: once an epoch and at the end) the held-out text is scored.

    A batch is computed in `shards` (0: 1, 2, 4 or 8, of 16 streams or more each) by as many `threads` (0: a CPU each);
    the shards decide its bits, the threads only its speed. Engine `torch` computes on a `device`, the GPU where `auto`
    finds one; there are no shards to it.
    """

    preset: str = field(
        default="classic",
        metadata=setting("Preset that settings come from", OneOf(tuple(PRESETS)), HOW, fixed=_KEPT_PRESET),
    )
    updates: int = field(
        default=100_000, metadata=setting("Gradient steps; 0 writes the initial model", Whole(0), HOW, unit="updates")
    )
    time_limit: float | None = field(
        default=None,
        metadata=setting(
            "Train for so long: 90s, 10m, 2h; in place of --updates",
            Duration(0, is_open=True),
            HOW,
            optional=True,
            unit="seconds",
            fixed=_ONCE,
        ),
    )
    max_epochs: float = field(
        default=0.0,
        metadata=setting(
            "With a time limit, no more epochs than these; 0: any", Number(0), HOW, unit="epochs", fixed=_ONCE
        ),
    )
    seed: int = field(
        default=0, metadata=setting("Random seed; the same seed, the same bits", Whole(0), HOW, fixed=OTHER_RUN)
    )
    sequence_length: int = field(
        default=25,
        metadata=setting(
            "Characters of a sequence, T: an update reads so many of each stream",
            Whole(1, 65536),
            HOW,
            unit="characters",
            fixed=OTHER_RUN,
        ),
    )
    batch_size: int = field(
        default=1,
        metadata=setting("Streams read side by side, B", Whole(1, 65536), HOW, unit="streams", fixed=OTHER_RUN),
    )
    order: str = field(
        default="sequential", metadata=setting("Order in which the text is read", OneOf(ORDERS), HOW, fixed=OTHER_RUN)
    )
    documents: str | None = field(
        default=None,
        metadata=setting(
            "Parts of the text that are read by themselves", OneOf(DOCUMENTS), HOW, optional=True, fixed=OTHER_RUN
        ),
    )
    optimizer: str = field(default="adagrad", metadata=setting("Optimizer", OneOf(OPTIMIZERS), HOW, fixed=OTHER_RUN))
    learning_rate: float = field(
        default=0.1, metadata=setting("Learning rate, the highest of the schedule", Number(0, is_open=True), HOW)
    )
    momentum: float | None = field(
        default=None,
        metadata=_hyperparameter("momentum", "Share of the velocity that an update keeps", Number(0, 1 - 1e-6)),
    )
    beta1: float | None = field(
        default=None, metadata=_hyperparameter("beta1", "Decay of the mean of the gradients", Number(0, 1 - 1e-6))
    )
    beta2: float | None = field(
        default=None,
        metadata=_hyperparameter("beta2", "Decay of the mean of the squared gradients", Number(0, 1 - 1e-6)),
    )
    epsilon: float | None = field(
        default=None, metadata=_hyperparameter("epsilon", "Number that keeps a divisor from zero", Number(1e-30, 1))
    )
    weight_decay: float | None = field(
        default=None,
        metadata=_hyperparameter("weight_decay", "Decay of the parameters, times the learning rate", Number(0)),
    )
    schedule: str = field(default="constant", metadata=setting("Learning-rate schedule", OneOf(SCHEDULES), HOW))
    schedule_updates: int = field(
        default=0, metadata=setting("Updates over which the schedule falls; 0: all", Whole(0), HOW, unit="updates")
    )
    warm_up: int = field(default=0, metadata=setting("Updates until the highest rate", Whole(0), HOW, unit="updates"))
    final_rate: float = field(
        default=0.01, metadata=setting("The share of the rate at which a falling schedule ends", Number(0, 1), HOW)
    )
    clip_value: float | None = field(
        default=5.0, metadata=setting("Limit of each gradient", Number(0, is_open=True), HOW, optional=True)
    )
    clip_norm: float | None = field(
        default=None,
        metadata=setting("Limit of the norm of all gradients", Number(0, is_open=True), HOW, optional=True),
    )
    dropout: float = field(
        default=0.0,
        metadata=setting("The share of units dropped between layers while training", Number(0, 0.95), NETWORK),
    )
    initial_scale: float | None = field(
        default=0.01,
        metadata=setting(
            f"Deviation of the initial weights; `{NONE}`: the cell's own start",
            Number(0, is_open=True),
            NETWORK,
            optional=True,
            fixed=OTHER_RUN,
        ),
    )
    validation: float = field(
        default=0.0,
        metadata=setting(
            "The share of the text, its tail, by which the best model is chosen",
            Number(0, 0.9),
            HELD_OUT,
            fixed=OTHER_RUN,
        ),
    )
    test: float = field(
        default=0.0,
        metadata=setting(
            "The share after it by which the best model is judged", Number(0, 0.9), HELD_OUT, fixed=OTHER_RUN
        ),
    )
    patience: int = field(
        default=0,
        metadata=setting(
            "Evaluations without a better one that end the training; 0: any number",
            Whole(0),
            HELD_OUT,
            unit="evaluations",
        ),
    )
    plateau: int = field(
        default=0,
        metadata=setting(
            "Evaluations without a better one that halve the rate; 0: never", Whole(0), HELD_OUT, unit="evaluations"
        ),
    )
    ema: float = field(
        default=0.0,
        metadata=setting(
            "Keep a moving average of the parameters, with this decay: it is the model",
            Number(0, 1 - 1e-6),
            HOW,
            fixed=OTHER_RUN,
        ),
    )
    log_every: int = field(default=500, metadata=setting("Updates between records", Whole(1), WATCH, unit="updates"))
    sample_every: int = field(
        default=10_000, metadata=setting("Updates between samples; 0: none", Whole(0), WATCH, unit="updates")
    )
    sample_length: int = field(
        default=200,
        metadata=setting("Characters of a sample, at most 524,288", Whole(1), WATCH, unit="characters"),
    )
    sample_prompt: str = field(
        default="",
        metadata=setting(
            "Beginning of every sample, such as one character",
            Characters(1000),
            WATCH,
            unit="characters",
            default_words="empty",
        ),
    )
    evaluate_every: int = field(
        default=0, metadata=setting("Updates between evaluations; 0: each epoch", Whole(0), HELD_OUT, unit="updates")
    )
    checkpoint_every: float = field(
        default=30.0, metadata=setting("Time between checkpoints: 30s, 10m, 2h", Duration(0), WATCH, unit="seconds")
    )
    keep: int = field(
        default=3,
        metadata=setting("Checkpoints to keep, besides the best", Whole(1), WATCH, unit="checkpoints"),
    )
    engine: str = field(default="auto", metadata=setting("Engine that computes", OneOf(ENGINES), HOW))
    device: str = field(default="auto", metadata=setting("Device on which engine torch computes", OneOf(DEVICES), HOW))
    shards: int = field(
        default=0,
        metadata=setting("Parts that a batch is computed in; 0: by its size", Whole(0, 1024), HOW, unit="parts"),
    )
    threads: int = field(
        default=0, metadata=setting("Threads that compute; 0: one for each CPU", Whole(0, 1024), HOW, unit="threads")
    )

    def __post_init__(self) -> None:
        """Rename an earlier name of a preset; raise UsageError for a value that is not allowed."""
        object.__setattr__(self, "preset", current_preset(self.preset))
        super().__post_init__()
        fits = self.documents is None or self.order == "sequential"
        require(fits, "order", "sequential with documents, whose updates are always shuffled", self.order)
        for name, value in (("patience", self.patience), ("plateau", self.plateau)):
            require(not value or bool(self.validation), name, "0 where `validation` is 0", value)
        if self.validation + self.test > 0.95:
            raise UsageError(
                f"`validation` and `test` must leave a text to learn from; got {self.validation:g} and {self.test:g}."
            )
        fits = self.device != "cuda" or self.engine == "torch"
        require(fits, "device", f"auto or cpu with engine {self.engine}", self.device)
        self._complete_hyperparameters()

    def _complete_hyperparameters(self) -> None:
        """Set those of the optimizer that are None to its defaults; raise UsageError for one that it does not use."""
        used = HYPERPARAMETERS[self.optimizer]
        for name in dict.fromkeys(name for others in HYPERPARAMETERS.values() for name in others):
            value = getattr(self, name)
            if value is None:
                object.__setattr__(self, name, used.get(name))
            elif name not in used:
                raise _unused(name, value, self.optimizer)

    @property
    def hyperparameters(self) -> dict[str, float]:
        """The settings that the optimizer uses besides the learning rate."""
        return {name: getattr(self, name) for name in HYPERPARAMETERS[self.optimizer]}


def _unused(name: str, value: float, optimizer: str) -> UsageError:
    """Return the error for a hyper-parameter that the `optimizer` does not use."""
    *most, last = [user for user, used in HYPERPARAMETERS.items() if name in used]
    users = f"{', '.join(most)} and {last} use" if most else f"{last} uses"
    hint = f"leave it out, or give `--optimizer {last}`."
    return arguments.invalid_argument(name, f"left out with optimizer {optimizer}, for only {users} it", value, hint)


class TrainingSettings(TypedDict, total=False):
    """The fields of `TrainingConfig` as keyword arguments: durations such as "10m" besides seconds, "none" for None.

    Type checkers need them written out; a test compares them with the fields.
    """

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
    momentum: float | str | None
    beta1: float | str | None
    beta2: float | str | None
    epsilon: float | str | None
    weight_decay: float | str | None
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
    sample_prompt: str
    evaluate_every: int
    checkpoint_every: float | str
    keep: int
    engine: str
    device: str
    shards: int
    threads: int
