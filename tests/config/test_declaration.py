"""The declaration of a setting, and its readers: validation, help, options and the reference page."""

from __future__ import annotations

import dataclasses
import importlib.util
import math
import re
from dataclasses import dataclass

import pytest

from pages import ROOT
from recurra.cli.options import setting_help, with_settings
from recurra.config import SETTINGS, ModelConfig, TrainingConfig
from recurra.config.declaration import (
    TRAINING,
    Configuration,
    Duration,
    Number,
    OneOf,
    Setting,
    Values,
    Whole,
    declared,
    setting,
)
from recurra.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class Kettle(Configuration):
    """A configuration with two settings."""

    water: float = setting(1.5, "Liters of water", Number(0, 2), TRAINING, unit="liters")
    tea: str | None = setting(None, "Tea", OneOf(("none", "green")), TRAINING, optional=True, fixed="pour it out.")


def test_field_declares_setting() -> None:
    water, tea = declared(Kettle).values()
    assert water == Setting("water", 1.5, "Liters of water", Number(0, 2), TRAINING, unit="liters")
    assert (tea.option, tea.default, tea.optional, tea.fixed) == ("--tea", None, True, "pour it out.")
    assert declared(Kettle(water=1)) == declared(Kettle)


def test_configuration_validates_and_converts_to_table_and_back() -> None:
    assert Kettle().to_table() == {"water": 1.5, "tea": "none"}
    assert Kettle.from_table({"tea": "none"}) == Kettle()
    with pytest.raises(UsageError, match=r"^`water` must be a number from 0 to 2; got 3\.$"):
        Kettle(water=3)
    with pytest.raises(UsageError, match=r"^`tea` must be one of none, green; got 'black'\.$"):
        Kettle(tea="black")
    with pytest.raises(UsageError, match=r"^unknown setting `watr`\.") as caught:
        Kettle.from_table({"watr": 1})
    assert caught.value.hint == "did you mean `water`? the settings are tea, water."


@pytest.mark.parametrize(
    ("values", "good", "bad", "shown"),
    [
        (Whole(1), [1, 2**63 - 1], [0, 2**63, 1.0, True, "1", None], "1 or more"),
        (Whole(1, 64), [1, 64], [0, 65], "1 to 64"),
        (Number(0), [0, 1e308], [-1, math.inf, math.nan, 10**400, False, "1", None], "0 or more"),
        (Number(0, is_open=True), [1e-300], [0], "above 0"),
        (Number(0, 0.9), [0, 0.9], [0.91, -0.1], "0 to 0.9"),
        (Duration(0), [0, 1.5], [-1, "10m"], "0 or more"),
        (Duration(0, is_open=True), [0.1], [0], "above 0"),
    ],
)
def test_allowed_values_and_their_help_text(
    values: Whole | Number | Duration, good: list[object], bad: list[object], shown: str
) -> None:
    assert all(values.allows(value) for value in good)
    assert not any(values.allows(value) for value in bad)
    assert values.shown == shown


@pytest.mark.parametrize(
    ("values", "optional", "help"),
    [
        (Whole(1, 9), False, "X. [1 to 9]"),
        (Number(0, is_open=True), True, "X. [above 0, or none]"),
        (Duration(0), True, "X."),
        (OneOf(("a", "b")), False, "X: a, b."),
    ],
)
def test_option_help_ends_with_choices_or_range(values: Values, optional: bool, help: str) -> None:
    assert setting_help(Setting("x", None, "X", values, TRAINING, optional=optional)) == help


def test_with_settings_adds_options_to_command() -> None:
    @with_settings(before="last", names=("layers", "clip_value"), defaults={"layers": "many"})
    def command(first: int = 1, *, last: int = 2, **settings: object) -> dict[str, object]:
        return {"first": first, "last": last, **settings}

    parameters = command.__signature__.parameters  # type: ignore[attr-defined]
    assert list(parameters) == ["first", "layers", "clip_value", "last"]
    assert parameters["layers"].annotation.__metadata__[0].show_default == "many"
    assert parameters["layers"].annotation.__origin__ == (int | None)
    assert parameters["clip_value"].annotation.__origin__ == (float | str | None)
    assert command(layers=3) == {"first": 1, "last": 2, "layers": 3}


def test_every_setting_is_declared_with_an_allowed_default() -> None:
    assert set(SETTINGS) == {f.name for config in (ModelConfig, TrainingConfig) for f in dataclasses.fields(config)}
    for declaration in SETTINGS.values():
        declaration.require(declaration.default)
        assert declaration.help[0].isupper()
        assert not declaration.help.endswith(".")


def test_reference_page_has_row_with_anchor_for_each_setting() -> None:
    spec = importlib.util.spec_from_file_location("from_code", ROOT / "docs/from_code.py")
    assert spec is not None
    assert spec.loader is not None
    from_code = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(from_code)
    page = from_code.settings()
    assert re.findall(r'<a id="(\w+)"></a>', page) == list(SETTINGS)
    row = next(line for line in page.splitlines() if 'id="hidden_size"' in line)
    option = "{option}`--hidden-size <recurra train --hidden-size>`"
    for cell in (option, "1 to 16384 units", "`100` (small: `256`, medium: `256`, large: `512`)", "cannot"):
        assert cell in row
