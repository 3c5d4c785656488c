"""The settings of a run in its report."""

from __future__ import annotations

from recurra.report.sections.settings import settings_section
from recurra.runs.records import RunData


def test_times_have_their_unit() -> None:
    training = {"checkpoint_every": 30.0, "time_limit": 600.0, "keep": 3}
    run = RunData("run", {"training": training}, (), (), {}, {}, ())
    shown = str(settings_section(run))
    assert ">30 s<" in shown
    assert ">10 min<" in shown
    assert ">3<" in shown
    assert ">none<" in str(settings_section(RunData("run", {"training": {"time_limit": "none"}}, (), (), {}, {}, ())))
