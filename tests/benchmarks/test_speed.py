"""The speed benchmark: valid options, equal results on all sides, and tables of the stored measurements."""

from __future__ import annotations

import argparse
import importlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
BENCHMARKS = ROOT / "benchmarks"


@pytest.fixture(autouse=True)
def on_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))


@pytest.fixture
def speed() -> Any:
    return importlib.import_module("speed")


@pytest.fixture
def speed_tables() -> Any:
    return importlib.import_module("speed_tables")


def measured(speed: Any, core: str, ours: list[float], date: str = "2026-01-02") -> dict[str, Any]:
    """Return measurements of two cases on one core and on two cores; JAX has the speeds 8 and 16."""
    rates = {"recurra": ours, "torch": [5.0, 4.0], "jax": [8.0, 8.0]}
    twice = {name: [2 * value for value in values] for name, values in rates.items()}
    rows = [
        speed.summary(speed.Case("gru-2-5-8-1", 1), rates, {}),
        speed.summary(speed.Case("gru-2-5-8-1", 2), twice, {}),
        speed.summary(speed.Case("lstm-2-5-8-3", 1), {"recurra": [4.0, 4.0], "torch": [2.0, 2.0]}, {}),
        speed.summary(speed.Case("write-gru-8-1-1", 1), {"recurra": [2000.0]}, {}),
        speed.summary(speed.Case("write-gru-8-1-9", 2), {"recurra": [9000.0]}, {}),
        speed.summary(speed.Case("classic", 1), {"recurra": [3000.0], "numpy": [1000.0], "jax": [1500.0]}, {}),
    ]
    processor = {"name": "a core", "numbers": "6 1", "core": core, "generation": core.title()}
    facts = {"versions": {"jax": "1.0"}, "rounds": 2, "seconds": 1, "tile": "8 x 16", "load": 0.3, "left_out": {}}
    return facts | {"date": date, "processor": processor, "compiled_in_timed_processes": 0, "results": rows}


def test_summary_compares_each_round_with_the_faster_peer(speed: Any) -> None:
    row = measured(speed, "fast", [10.0, 12.0])["results"][0]
    assert row["faster_peer"] == "jax"
    assert row["ours_over_peer"]["jax"] == {"median": 1.375, "min": 1.25, "max": 1.5}
    assert row["rates"]["torch"] == {"median": 4.5, "min": 4.0, "max": 5.0}
    alone = speed.summary(speed.Case("gru-2-5-8-1", 1), {"recurra": [1.0]}, {})
    assert (alone["faster_peer"], alone["ours_over_peer"]) == (None, {})


def test_wrong_results_and_compiled_kernels_make_the_measurements_invalid(speed: Any) -> None:
    one = measured(speed, "fast", [10.0, 12.0])
    assert speed.problems(one) == []
    off = speed.disagreement({"recurra": [], "numpy": [100.0, 3.0], "jax": [100.1, 3.0], "torch": [100.0, 3.0]})
    assert off == {"jax": pytest.approx(1e-3), "torch": 0}
    assert speed.disagreement({"recurra": [0.0, 7.0], "torch": [0.0, 8.0]}) == {"torch": pytest.approx(1 / 7)}
    one["results"][0]["first_results_off_by"] = off
    one["compiled_in_timed_processes"] = 3
    assert speed.problems(one) == [
        "gru-2-5-8-1: the first results of jax differ from those of the other sides by 1e-03",
        "a timed process compiled kernels, so that the times are not those of code from the cache",
    ]


def test_cases_have_one_core_or_more(speed: Any) -> None:
    names = ["classic", "gru-1-5-8-1", "gru-2-5-8-1", "write-gru-8-1-1", "write-gru-8-1-9"]
    assert [tuple(case) for case in speed.cases(names, [1, 2])] == [
        ("classic", 1),
        ("gru-1-5-8-1", 1),
        ("gru-2-5-8-1", 1),
        ("gru-2-5-8-1", 2),
        ("write-gru-8-1-1", 1),
        ("write-gru-8-1-9", 2),
    ]


@pytest.mark.parametrize(
    "name",
    ["gru-2-5-8", "rnn-2-5-8-1", "gru-2-5-x-1", "gru-0-5-8-1", "write-gru-8-1", "write-abacus-8-1-1", "classical"],
)
def test_invalid_case_is_an_error(speed: Any, name: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=f"a case is classic, CELL-B-T-H-L or .*; got {name}"):
        speed._case(name)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--sides", "recurra,abacus"], "unknown side 'abacus'; known are recurra, numpy, torch"),
        (["--cores", "0"], "from 1 to the "),
        (["--cores", "1,many"], "cores of this process; got many"),
        (["--rounds", "0"], "--rounds must be at least 1 and --seconds greater than 0"),
    ],
)
def test_invalid_option_is_an_error(
    speed: Any,
    options: list[str],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["speed.py", *options])
    with pytest.raises(SystemExit, match="2"):
        speed.main()
    assert message in capsys.readouterr().err


def test_missing_peer_is_reported(speed: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speed, "version", lambda _: None)
    options = argparse.Namespace(sides=["torch"], cores=[1], cases=[], rounds=1, seconds=0.1)
    result = speed.measure(options, "ab")
    assert (result["results"], result["left_out"]) == ([], {"torch": "not installed"})


def test_benchmark_runs_with_recurra_alone() -> None:
    command = [sys.executable, str(BENCHMARKS / "speed.py"), "--sides", "recurra", "--cores", "1", "--json"]
    command += ["--cases", "gru-3-7-16-2,write-elman-8-1-3", "--rounds", "2", "--seconds", "0.01"]
    result = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    training, writing = result["results"]
    assert (training["case"], training["cores"], training["faster_peer"]) == ("gru-3-7-16-2", 1, None)
    assert training["rates"]["recurra"]["median"] > 0
    assert writing["rates"]["recurra"]["max"] >= writing["rates"]["recurra"]["min"] > 0
    assert (result["compiled_in_timed_processes"], result["left_out"]) == (0, {})


def test_tables_have_the_speeds_and_the_ratios(speed: Any, speed_tables: Any) -> None:
    page = speed_tables.page(measured(speed, "fast", [10000.0, 12000.0]))
    assert page.startswith(
        "## Fast\n\n2026-01-02; a core (family, model, stepping 6 1); jax 1.0. The kernels use tiles"
    )
    assert "Kernels compiled in the timed processes: 0. Load average before: 0.3.\n" in page
    assert "| NumPy | 1,000 | 3.00 (3.00 to 3.00) |" in page
    assert "| GRU 8, 2 streams | 1 | 11.0 | 0.0 | 0.0 | 1375.00 (1250.00 to 1500.00) |  |" in page
    assert "| GRU 8, 2 streams | 2 | 22.0 | 0.0 | 0.0 | 1375.00 (1250.00 to 1500.00) | 2.00 |" in page
    assert "| LSTM 3 × 8, 2 streams | 1 | 0.0 | 0.0 | – | 2.00 (2.00 to 2.00) |  |" in page
    assert "| GRU 8, 9 texts | 2 | 9.0 | – | 4.50 |" in page
    plain = speed_tables.plain(measured(speed, "fast", [10000.0, 12000.0]))
    assert "GRU 8, 2 streams           2     22.0" in plain


def test_lowest_ratios_come_first(speed: Any, speed_tables: Any) -> None:
    fast, slow = measured(speed, "fast", [40.0, 40.0]), measured(speed, "slow", [4.0, 4.0])
    del slow["results"][2]
    assert speed_tables.ratios([fast, slow]) == [
        ["", "Slow, 2026-01-02", "Fast, 2026-01-02"],
        ["GRU 8, 2 streams", "0.50 / 0.50", "5.00 / 5.00"],
        ["LSTM 3 × 8, 2 streams", "–", "2.00"],
    ]


def test_new_measurements_replace_those_of_the_same_processor(
    speed: Any, speed_tables: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    readme, folder = tmp_path / "README.md", tmp_path / "docs" / "speed"
    folder.mkdir(parents=True)
    readme.write_text(f"Before.\n\n{speed_tables.START}old{speed_tables.END}\n\nAfter.\n")
    monkeypatch.setattr(speed_tables, "ROOT", tmp_path)
    for core, ours, date in (("fast", 40.0, "2026-01-01"), ("slow", 4.0, "2026-01-03"), ("fast", 16.0, "2026-01-02")):
        speed_tables.save(measured(speed, core, [ours, ours], date), folder)
    assert sorted(path.name for path in folder.iterdir()) == ["fast.json", "slow.json"]
    text = readme.read_text()
    assert text.startswith("Before.\n\n<!--")
    assert text.endswith("-->\n\nAfter.\n")
    assert "old" not in text
    assert "|  | Slow, 2026-01-03 | Fast, 2026-01-02 |" in text
    assert "| GRU 8, 2 streams | 0.50 / 0.50 | 2.00 / 2.00 |" in text
    headings = [line for line in (tmp_path / "docs/speed-tables.md").read_text().splitlines() if line.startswith("##")]
    assert headings == ["## Slow", "## Fast"]
    readme.write_text("no place")
    with pytest.raises(ValueError, match=r"README.md must have the lines '<!-- Written by"):
        speed_tables.save(measured(speed, "fast", [1.0, 1.0]), folder)


def test_committed_tables_are_those_of_the_stored_measurements(speed_tables: Any) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    tables, expected = speed_tables.written(ROOT / "docs/speed", readme)
    hint = "run `python benchmarks/speed_tables.py docs/speed`"
    assert (ROOT / "docs/speed-tables.md").read_text(encoding="utf-8") == tables, hint
    assert readme == expected, hint
