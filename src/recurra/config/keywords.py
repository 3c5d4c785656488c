"""Build both configurations from keyword arguments of `recurra.train` or options of a command, and a preset."""

from __future__ import annotations

import functools
import logging
from collections.abc import Mapping
from typing import Any, Final

from recurra.config import arguments
from recurra.config.declaration import NONE, Duration, Setting, declared, is_none
from recurra.config.model_settings import ModelConfig, ModelSettings
from recurra.config.presets import PRESETS, choose_settings, current_preset
from recurra.config.training_settings import TrainingConfig, TrainingSettings
from recurra.errors import UsageError

SETTINGS: Final[Mapping[str, Setting]] = {**declared(ModelConfig), **declared(TrainingConfig)}
TIMES: Final = tuple(name for name, setting in SETTINGS.items() if isinstance(setting.values, Duration))
_UNIT_SECONDS: Final = {"s": 1.0, "m": 60.0, "h": 3600.0}


class Settings(ModelSettings, TrainingSettings, total=False):
    """The keyword arguments of `recurra.train`."""


def seconds_of(name: str, value: object) -> object:
    """Convert a duration such as "90s", "10m" or "2h" to seconds; return any value other than a str unchanged."""
    value = arguments.unwrap_numpy(value)
    if not isinstance(value, str) or value == NONE:
        return value
    unit = _UNIT_SECONDS.get(value[-1:])
    try:
        return float(value) if unit is None else float(value[:-1]) * unit
    except ValueError:
        raise UsageError(
            f"`{name}` must be a duration such as 90s, 10m or 2h; got {arguments.short_repr(value)}."
        ) from None


def in_seconds(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return `settings` with every duration in seconds."""
    return {**settings, **{name: seconds_of(name, settings[name]) for name in TIMES if name in settings}}


def configs(settings: Mapping[str, Any], characters: int = 0) -> tuple[ModelConfig, TrainingConfig]:
    """Return the configurations of the network and of its training.

    A setting that is not in `settings` has the value of the preset or, if the preset leaves it out, the default. Preset
    `auto` chooses the network for a text of this number of `characters`. `updates` and `time_limit` exclude each other.
    If `settings` has `updates`, the time limit of the preset is ignored, and conversely. Raises UsageError for an
    unknown name or a value that is not allowed.
    """
    settings = rename_preset(in_seconds(settings))
    if settings.get("updates") is not None and not is_none(settings.get("time_limit")):
        raise UsageError("give `updates` or `time_limit`, not both.", hint="leave out one of them.")
    preset = str(settings.get("preset", TrainingConfig.preset))
    defaults = dict(PRESETS.get(preset, {}))
    if preset == "auto":
        defaults |= choose_settings(characters, _seconds(settings, defaults)).settings
    if "updates" in settings:
        defaults["time_limit"] = None
    return split(defaults | settings)


def rename_preset(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return `settings` with the current name of a renamed preset, and log a note about the new name."""
    former = arguments.unwrap_numpy(settings.get("preset"))
    current = current_preset(former)
    if current is former:
        return dict(settings)
    note_renamed_preset(former, current)
    return {**settings, "preset": current}


@functools.cache
def note_renamed_preset(former: str, current: str) -> None:
    """Log the new name of a preset once per process; Python prints it on stderr if no log handler is set."""
    logging.getLogger("recurra").warning("note: preset `%s` is now called `%s`.", former, current)


def split(settings: Mapping[str, Any]) -> tuple[ModelConfig, TrainingConfig]:
    """Split `settings` into the configurations of the network and of its training.

    Raises UsageError for an unknown name.
    """
    of_model = declared(ModelConfig)
    arguments.require_known(settings, SETTINGS)
    return (
        ModelConfig.from_table({name: value for name, value in settings.items() if name in of_model}),
        TrainingConfig.from_table({name: value for name, value in settings.items() if name not in of_model}),
    )


def _seconds(settings: Mapping[str, Any], defaults: Mapping[str, Any]) -> float:
    """Return the time limit in seconds for which preset `auto` chooses a network.

    An invalid time limit counts as missing; the configuration raises the error for it later.
    """
    limit = settings.get("time_limit")
    return float(limit if isinstance(limit, (int, float)) and limit > 0 else defaults["time_limit"])
