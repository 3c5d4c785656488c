"""The settings of a training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypedDict

from recurra.config import arguments
from recurra.config.declaration import (
    HELD_OUT,
    NETWORK,
    NONE,
    OTHER_RUN,
    RECORDS,
    TRAINING,
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
HYPERPARAMETERS: Final[Mapping[str, Mapping[str, float]]] = {  # of each optimizer, with their defaults
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

_FIXED_PRESET = "leave it out, and change single settings by their options; the run keeps the settings of its preset."
_FIXED_TIME = "the run converted its time limit to a number of updates at its start; give `--updates` to train longer."


def _hyperparameter(name: str, help: str, values: Number) -> Any:
    """Declare a setting that only some optimizers use; the help names them and their defaults."""
    users: dict[float, list[str]] = {}
    for optimizer, used in HYPERPARAMETERS.items():
        if name in used:
            users.setdefault(used[name], []).append(optimizer)
    defaults = "; ".join(f"{default:g} for {', '.join(optimizers)}" for default, optimizers in users.items())
    return setting(
        None, f"{help} ({defaults})", values, TRAINING, optional=True, fixed=OTHER_RUN, default_words="by optimizer"
    )


@dataclass(frozen=True, kw_only=True)
class TrainingConfig(Configuration):
    """The settings of a training; the defaults are preset `classic`, the min-char-rnn recipe.

    Learning rate: every schedule but constant lowers the rate from `learning_rate` to `final_rate` · `learning_rate`
    over `schedule_updates` (0: all `updates`). The cosine schedule first raises the rate linearly over `warm_up`
    updates.

    Gradient: losses and gradients are sums, not means, over the `sequence_length` · `batch_size` characters of an
    update. `clip_value` and `clip_norm` bound this sum. With `initial_scale` None, each cell uses its own
    initialization.

    Hyper-parameters: `momentum`, `beta1`, `beta2`, `epsilon` and `weight_decay` apply only to some optimizers. None
    becomes the default of the optimizer, and remains None if the optimizer does not use the setting.

    Duration: `updates` counts gradient steps. A `time_limit` in seconds determines `updates` instead, with at most
    `max_epochs` epochs (0: no limit). If the time limit ends the training before the last planned update, `updates`
    becomes the number done and `schedule_updates` the number planned.

    Held-out text: the end of the text is split off. Its first part, of share `validation`, chooses the best model; its
    second part, of share `test`, measures that model. After `patience` evaluations without a lower validation loss (0:
    never) the training ends, and after each `plateau` evaluations without a lower loss (0: never) the learning rate is
    halved.

    Averaging: with `ema` the model is a moving average of the parameters,

        average <- ema * average + (1 - ema) * parameters        after each update

    The average is evaluated, sampled from and saved as the best model.

    Order: `sequential` carries the hidden state from update to update. `shuffled` reads the chunks of
    `sequence_length` characters in a new order in each epoch; `random` draws the start of each chunk. Both begin each
    chunk with a zero state. With `documents` "lines", each line is a document: a newline, the characters of the line,
    its newline, from a zero state. An update has `batch_size` lines of similar length; a line longer than
    `sequence_length` is cut into pieces.

    Records: training writes a record every `log_every` updates, a sample of `sample_length` characters every
    `sample_every` updates (0: never) and a checkpoint every `checkpoint_every` seconds. Each sample continues
    `sample_prompt`. Training evaluates the held-out text every `evaluate_every` updates (0: at the end of each epoch),
    and at the end of the training.

    Computation: a batch is split into `shards` (0: 1, 2, 4 or 8, with at least 16 streams each), and `threads` compute
    them (0: one for each CPU). The number of shards changes the rounding of the sums, the number of threads only the
    speed. Engine `torch` has no shards; it computes on `device`, which `auto` sets to the GPU if there is one.
    """

    preset: str = setting(
        "classic", "Named set of default settings", OneOf(tuple(PRESETS)), TRAINING, fixed=_FIXED_PRESET
    )
    updates: int = setting(
        100_000, "Number of gradient steps; 0: save the initial model", Whole(0), TRAINING, unit="updates"
    )
    time_limit: float | None = setting(
        None,
        "Training time, such as 90s, 10m or 2h, instead of --updates",
        Duration(0, is_open=True),
        TRAINING,
        optional=True,
        unit="seconds",
        fixed=_FIXED_TIME,
    )
    max_epochs: float = setting(
        0.0,
        "Largest number of epochs within --time-limit; 0: no limit",
        Number(0),
        TRAINING,
        unit="epochs",
        fixed=_FIXED_TIME,
    )
    seed: int = setting(0, "Random seed; the same seed gives the same model", Whole(0), TRAINING, fixed=OTHER_RUN)
    sequence_length: int = setting(
        25,
        "Time steps of backpropagation, T: characters in a training sequence",
        Whole(1, 65536),
        TRAINING,
        unit="characters",
        fixed=OTHER_RUN,
    )
    batch_size: int = setting(
        1, "Sequences in a batch, B", Whole(1, 65536), TRAINING, unit="sequences", fixed=OTHER_RUN
    )
    order: str = setting(
        "sequential", "Order in which training reads the text", OneOf(ORDERS), TRAINING, fixed=OTHER_RUN
    )
    documents: str | None = setting(
        None, "Split of the text into independent documents", OneOf(DOCUMENTS), TRAINING, optional=True, fixed=OTHER_RUN
    )
    optimizer: str = setting("adagrad", "Optimizer", OneOf(OPTIMIZERS), TRAINING, fixed=OTHER_RUN)
    learning_rate: float = setting(
        0.1, "Learning rate, before the schedule lowers it", Number(0, is_open=True), TRAINING
    )
    momentum: float | None = _hyperparameter("momentum", "Momentum coefficient", Number(0, 1 - 1e-6))
    beta1: float | None = _hyperparameter("beta1", "Decay of the moving average of the gradient", Number(0, 1 - 1e-6))
    beta2: float | None = _hyperparameter(
        "beta2", "Decay of the moving average of the squared gradient", Number(0, 1 - 1e-6)
    )
    epsilon: float | None = _hyperparameter("epsilon", "Small number that prevents division by zero", Number(1e-30, 1))
    weight_decay: float | None = _hyperparameter(
        "weight_decay", "Weight decay, multiplied by the learning rate", Number(0)
    )
    schedule: str = setting("constant", "Learning-rate schedule", OneOf(SCHEDULES), TRAINING)
    schedule_updates: int = setting(
        0, "Updates until the end of the schedule; 0: all updates", Whole(0), TRAINING, unit="updates"
    )
    warm_up: int = setting(
        0, "Updates of linear warm-up before the cosine schedule", Whole(0), TRAINING, unit="updates"
    )
    final_rate: float = setting(
        0.01, "Learning rate at the end of the schedule, as a share of its maximum", Number(0, 1), TRAINING
    )
    clip_value: float | None = setting(
        5.0, "Largest absolute value of a gradient element", Number(0, is_open=True), TRAINING, optional=True
    )
    clip_norm: float | None = setting(
        None, "Largest norm of the whole gradient", Number(0, is_open=True), TRAINING, optional=True
    )
    dropout: float = setting(0.0, "Dropout probability between layers", Number(0, 0.95), NETWORK)
    initial_scale: float | None = setting(
        0.01,
        f"Standard deviation of the initial weights; `{NONE}`: the default of the cell",
        Number(0, is_open=True),
        NETWORK,
        optional=True,
        fixed=OTHER_RUN,
    )
    validation: float = setting(
        0.0,
        "Share of the text, at its end, held out to choose the best model",
        Number(0, 0.9),
        HELD_OUT,
        fixed=OTHER_RUN,
    )
    test: float = setting(
        0.0,
        "Share of the text, after the validation part, held out to test the best model",
        Number(0, 0.9),
        HELD_OUT,
        fixed=OTHER_RUN,
    )
    patience: int = setting(
        0,
        "Evaluations without a lower validation loss before training stops; 0: never stop",
        Whole(0),
        HELD_OUT,
        unit="evaluations",
    )
    plateau: int = setting(
        0,
        "Evaluations without a lower validation loss before the learning rate is halved; 0: never halve it",
        Whole(0),
        HELD_OUT,
        unit="evaluations",
    )
    ema: float = setting(
        0.0,
        "Decay of the moving average of the parameters, which is used as the model; 0: no average",
        Number(0, 1 - 1e-6),
        TRAINING,
        fixed=OTHER_RUN,
    )
    log_every: int = setting(500, "Updates between records of the loss", Whole(1), RECORDS, unit="updates")
    sample_every: int = setting(
        10_000, "Updates between samples of generated text; 0: no samples", Whole(0), RECORDS, unit="updates"
    )
    sample_length: int = setting(
        200, "Characters in each sample, at most 524,288", Whole(1), RECORDS, unit="characters"
    )
    sample_prompt: str = setting(
        "",
        "Prompt of each sample during training, such as one character",
        Characters(1000),
        RECORDS,
        unit="characters",
        default_words="empty",
    )
    evaluate_every: int = setting(
        0,
        "Updates between evaluations on the held-out text; 0: at the end of each epoch",
        Whole(0),
        HELD_OUT,
        unit="updates",
    )
    checkpoint_every: float = setting(
        30.0, "Time between checkpoints, such as 90s, 10m or 2h", Duration(0), RECORDS, unit="seconds"
    )
    keep: int = setting(
        3, "Number of recent checkpoints to keep, besides the best checkpoint", Whole(1), RECORDS, unit="checkpoints"
    )
    engine: str = setting("auto", "Engine: the implementation that computes the training", OneOf(ENGINES), TRAINING)
    device: str = setting("auto", "Device of engine torch", OneOf(DEVICES), TRAINING)
    shards: int = setting(
        0,
        "Number of parts into which each batch is split; 0: chosen by the batch size",
        Whole(0, 1024),
        TRAINING,
        unit="parts",
    )
    threads: int = setting(
        0, "Threads of the computation; 0: one for each CPU", Whole(0, 1024), TRAINING, unit="threads"
    )

    def __post_init__(self) -> None:
        """Update an earlier name of a preset; raise UsageError for a value that is not allowed."""
        object.__setattr__(self, "preset", current_preset(self.preset))
        super().__post_init__()
        is_allowed = self.documents is None or self.order == "sequential"
        require(is_allowed, "order", "sequential with documents, whose updates are always shuffled", self.order)
        for name, value in (("patience", self.patience), ("plateau", self.plateau)):
            require(not value or bool(self.validation), name, "0 if `validation` is 0", value)
        if self.validation + self.test > 0.95:
            raise UsageError(
                "`validation` and `test` must leave at least 0.05 of the text for training; "
                f"got {self.validation:g} and {self.test:g}."
            )
        is_allowed = self.device != "cuda" or self.engine == "torch"
        require(is_allowed, "device", f"auto or cpu with engine {self.engine}", self.device)
        self._complete_hyperparameters()

    def _complete_hyperparameters(self) -> None:
        """Replace None by the optimizer's default; raise UsageError for a hyper-parameter that is not used."""
        used = HYPERPARAMETERS[self.optimizer]
        for name in dict.fromkeys(name for others in HYPERPARAMETERS.values() for name in others):
            value = getattr(self, name)
            if value is None:
                object.__setattr__(self, name, used.get(name))
            elif name not in used:
                raise _unused(name, value, self.optimizer)

    @property
    def hyperparameters(self) -> dict[str, float]:
        """The hyper-parameters of the optimizer by name, without the learning rate."""
        return {name: getattr(self, name) for name in HYPERPARAMETERS[self.optimizer]}


def _unused(name: str, value: float, optimizer: str) -> UsageError:
    """Return the error for a hyper-parameter that the `optimizer` does not use."""
    *most, last = [user for user, used in HYPERPARAMETERS.items() if name in used]
    users = f"{', '.join(most)} and {last} use" if most else f"{last} uses"
    hint = f"leave it out, or give `--optimizer {last}`."
    expected = f"left out with optimizer {optimizer}, because only {users} it"
    return arguments.invalid_argument(name, expected, value, hint)


class TrainingSettings(TypedDict, total=False):
    """The fields of `TrainingConfig` as keyword arguments, written out for type checkers.

    A duration may also be a str such as "10m", and "none" may replace None. A test compares the names with the fields.
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
