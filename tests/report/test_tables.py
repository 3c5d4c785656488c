"""The tables and texts of a run as LaTeX and Markdown."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

import recurra
from recurra.errors import ModelError, UsageError
from recurra.report import tables

TEXT = "\\begin{x} 50 % of a_b & $c$ #1 ^ ~ <b> |d| `e` \"f\" -- 'g'' [h]\n*i  j\n   k\n\nend\x07 – é\n"
RECORD = {"epoch": 1.0, "loss": {"mean": 2.0, "min": 1.0, "max": 3.0}, "validation": None, "rate": 0.1}
CHECK = {"cells": {"elman": {"W": {"max_abs_central": 3.1e-9, "max_rel_central": 0.0, "max_rel_complex": 2e-15}}}}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run directory with two records and three samples."""
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "run.toml").write_text('[training]\npreset = "seed"\nsequence_length = 25\n', encoding="utf-8")
    records = [{**RECORD, "update": 100, "smooth_loss": 60.0}, {**RECORD, "update": 1000, "smooth_loss": 50.0}]
    samples = [{"update": update, "temperature": 1.0, "seed": 0, "text": TEXT} for update in (0, 100, 1000)]
    for name, lines in (("metrics", records), ("samples", samples)):
        (folder / f"{name}.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")
    summary = {
        "updates": 1000, "smooth_loss": 50.0, "best_update": 1000, "best_smooth_loss": 50.0, "best_sample": TEXT,
        "gradient_check": CHECK, "baselines": {},
    }  # fmt: skip
    (folder / "summary.json").write_text(json.dumps(summary), encoding="utf-8")
    return folder


def contents(paths: list[Path]) -> dict[str, str]:
    return {path.name: path.read_text(encoding="utf-8") for path in paths}


def test_every_part_is_a_file_in_both_formats(run: Path, tmp_path: Path) -> None:
    parts = ["gradients", "losses", "models", "samples", "best"]
    for format, suffix in tables.TABLE_FORMATS.items():
        assert list(contents(tables.write_tables(run, tmp_path / "t", format))) == [f"{part}{suffix}" for part in parts]


def test_latex_has_the_numbers_and_escapes_special_characters(run: Path, tmp_path: Path) -> None:
    found = contents(tables.write_tables(run, tmp_path / "t"))
    assert r"W & $3.1 \times 10^{-9}$ & 0 & $2.0 \times 10^{-15}$ \\" in found["gradients.tex"]
    assert r"1,000 & 1.00 & 50.000 & 2.885 \\" in found["losses.tex"]
    passage = found["best.tex"].partition("\\raggedright\n")[2].partition("\n\\end{quote}")[0]
    assert passage.split(" \\\\\n") == [
        r"\textbackslash{}begin\{x\} 50 \% of a\_b \& \$c\$ \#1 \textasciicircum{} \textasciitilde{} "
        r"\textless{}b\textgreater{} \textbar{}d\textbar{} \textasciigrave{}e\textasciigrave{} "
        r"\textquotedbl{}f\textquotedbl{} -{}- 'g'{}' [h]",
        "{}*i~~j",
        "~~~k",
        r"\mbox{}",
        r"end\textbackslash{}x07 – é",
    ]
    assert found["samples.tex"].count(r"\begin{quote}") == found["samples.tex"].count(r"\end{quote}") == 3


def test_markdown_fence_is_longer_than_backticks_of_the_text(run: Path, tmp_path: Path) -> None:
    summary = json.loads((run / "summary.json").read_text(encoding="utf-8"))
    summary["best_sample"] = "a\n````\nb"
    (run / "summary.json").write_text(json.dumps(summary), encoding="utf-8")
    found = contents(tables.write_tables(run, tmp_path / "t", "markdown"))
    assert "`````text\na\n````\nb\n`````\n" in found["best.md"]
    assert "| 1,000 | 1.00 | 50.000 | 2.885 |" in found["losses.md"]
    widths = {line.count("|") for line in found["gradients.md"].splitlines() if line.startswith("|")}
    assert widths == {5}


def test_part_without_data_is_left_out(run: Path, tmp_path: Path) -> None:
    (run / "summary.json").unlink()
    (run / "samples.jsonl").unlink()
    assert list(contents(tables.write_tables(run, tmp_path / "t"))) == ["losses.tex", "models.tex"]
    (run / "metrics.jsonl").unlink()
    with pytest.raises(ModelError, match="there is no data for a table"):
        tables.write_tables(run, tmp_path / "t")


def test_write_report_writes_tables(run: Path, tmp_path: Path) -> None:
    paths = recurra.write_report(run, tables=tmp_path / "t", table_format="markdown")
    assert [path.name for path in paths] == [
        "report.html",
        "gradients.md",
        "losses.md",
        "models.md",
        "samples.md",
        "best.md",
    ]


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ({"table_format": "latex"}, "requires `--tables`"),
        ({"tables": "t", "table_format": "word"}, "`--table-format` must be one of latex, markdown; got 'word'"),
        ({"runs": ["a", "b"], "tables": "t"}, "`--tables` writes the tables of one run; got 2 runs"),
    ],
)
def test_contradictory_table_options_are_errors(named: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=re.escape(message)):
        recurra.write_report(**{"runs": "nowhere", **named})
