"""The section of the settings of a run."""

from __future__ import annotations

from recurra.report.sections.settings import settings_section
from recurra.runs.records import RunData


def test_settings_have_their_unit() -> None:
    training = {"checkpoint_every": 30.0, "time_limit": 600.0, "keep": 3, "log_every": 1, "updates": 2000}
    run = RunData("run", {"training": training}, (), (), {}, {}, ())
    html = str(settings_section(run))
    assert ">30 s<" in html
    assert ">10 min<" in html
    assert ">3 checkpoints<" in html
    assert ">1 update<" in html
    assert ">2,000<" in html
    assert ">none<" in str(settings_section(RunData("run", {"training": {"time_limit": "none"}}, (), (), {}, {}, ())))


def test_zero_that_means_off_or_automatic_is_a_word() -> None:
    training = {"patience": 0, "ema": 0.0, "threads": 0, "evaluate_every": 0, "seed": 0}
    html = str(settings_section(RunData("run", {"training": training}, (), (), {}, {}, ())))
    for words in ("no limit", "off", "one per CPU", "each epoch"):
        assert f">{words}<" in html
    assert html.count(">0<") == 1
