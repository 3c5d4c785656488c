"""Settings by name, as `recurra.train` and the command line take them, on top of those of a preset."""

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
_UNITS: Final = {"s": 1.0, "m": 60.0, "h": 3600.0}  # seconds


class Settings(ModelSettings, TrainingSettings, total=False):
    """The keyword arguments of `recurra.train`."""


def seconds_of(name: str, value: object) -> object:
    """Return the seconds of a duration such as 90s, 10m or 2h; return a value that is no str as it is."""
    value = arguments.unwrap_numpy(value)
    if not isinstance(value, str) or value == NONE:
        return value
    unit = _UNITS.get(value[-1:])
    try:
        return float(value) if unit is None else float(value[:-1]) * unit
    except ValueError:
        raise UsageError(
            f"`{name}` must be a duration such as 90s, 10m or 2h; got {arguments.short_repr(value)}."
        ) from None


def in_seconds(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings with every duration in seconds."""
    return {**settings, **{name: seconds_of(name, settings[name]) for name in TIMES if name in settings}}


def configs(settings: Mapping[str, Any], characters: int = 0) -> tuple[ModelConfig, TrainingConfig]:
    """Return the configurations of the network and its training: the settings, and for all others their preset's.

    Preset `auto` chooses for a text of so many `characters`. Updates and a time limit exclude each other: if one is
    given, the other is not taken from the preset. Raises UsageError, for an unknown name too.
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
    """Return the settings with the present name of their preset; log a note if that has changed."""
    former = arguments.unwrap_numpy(settings.get("preset"))
    current = current_preset(former)
    if current is former:
        return dict(settings)
    note_renamed_preset(former, current)
    return {**settings, "preset": current}


@functools.cache
def note_renamed_preset(former: str, current: str) -> None:
    """Log the new name of a preset, once in a process: on stderr, unless the caller handles the log of `recurra`."""
    logging.getLogger("recurra").warning("note: preset `%s` is now called `%s`.", former, current)


def split(settings: Mapping[str, Any]) -> tuple[ModelConfig, TrainingConfig]:
    """Return the configurations of the network and its training; raises UsageError for an unknown name."""
    of_model = declared(ModelConfig)
    arguments.require_known(settings, SETTINGS)
    return (
        ModelConfig.from_table({name: value for name, value in settings.items() if name in of_model}),
        TrainingConfig.from_table({name: value for name, value in settings.items() if name not in of_model}),
    )


def _seconds(settings: Mapping[str, Any], defaults: Mapping[str, Any]) -> float:
    """Return the time to choose a network for; the setting itself is validated later."""
    given = settings.get("time_limit")
    return float(given if isinstance(given, (int, float)) and given > 0 else defaults["time_limit"])
