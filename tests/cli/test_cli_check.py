"""`recurra check`: the table, the JSON object and the exit code."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from calling import Call
from recurra.cli import main
from recurra.network import gradient_survey
from recurra.network.gradient_survey import NETWORKS

LETTERS = ["U", "W", "b", "V", "c", "h0", "x"]
SMALL = ["--hidden-size", "5", "--sequence-length", "7", "--seed", "3"]


@pytest.fixture
def wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace the check by one that fails quickly."""
    figure = {"max_abs_central": 1.0, "max_rel_central": float("nan"), "max_rel_complex": 0.5}
    figures = {
        "W": figure | {"seed_tolerance": 1e-9, "passed": False},
        "h0": figure | {"seed_tolerance": None, "passed": True},
    }
    found = {"cells": {"elman": figures}, "passed": False, "parameters": 1234, "seconds": 2.0}
    monkeypatch.setattr("recurra.runs.gradient_proof.prove", lambda *_, **__: found)


def test_the_table(call: Call, book: Path) -> None:
    code, out, err = call("check", "--text", book, *SMALL)
    assert code == 0
    assert err.startswith("checking the gradients")
    rows = out.splitlines()
    assert re.fullmatch(r"gradients of elman, \d+ parameters, compared with numerical gradients:", rows[0])
    assert rows[1].split("  ")[-1] == "verdict"
    assert [row.split()[0] for row in rows[2:-1]] == LETTERS
    assert all(row.endswith("  right") for row in rows[2:-1])
    assert rows[-1].startswith("every gradient is right; checked in ")
    assert "\x1b" not in out


def test_json(call: Call, book: Path) -> None:
    code, out, _ = call("check", "--text", book, "--text", book, *SMALL, "--json")
    found = json.loads(out)
    assert code == 0
    assert found["passed"] is True
    assert list(found["cells"]["elman"]) == LETTERS
    keys = {"max_abs_central", "max_rel_central", "max_rel_complex", "seed_tolerance"}
    assert all(set(figures) >= keys for figures in found["cells"]["elman"].values())
    assert found["cells"]["elman"]["W"]["seed_tolerance"] == 1e-9


def test_check_uses_network_of_preset(call: Call, book: Path) -> None:
    code, out, _ = call("check", "--text", book, "--preset", "small", *SMALL, "--json")
    assert code == 0
    assert json.loads(out)["passed"] is True
    assert {"b_n"} < set(json.loads(out)["cells"]["gru"])


def test_trained_model_passes_gradient_check(call: Call, trained: Path) -> None:
    code, out, _ = call("check", trained, "--sequence-length", 6)
    assert code == 0
    assert "every gradient is right" in out


def test_the_settings_arrive(monkeypatch: pytest.MonkeyPatch) -> None:
    got: dict[str, Any] = {}

    def prove(sources: object, **named: Any) -> dict[str, Any]:
        got.update(named, sources=sources)
        return {"cells": {}, "passed": True, "parameters": 0, "seconds": 0.0}

    monkeypatch.setattr("recurra.runs.gradient_proof.prove", prove)
    assert main(["check", "--text", "kjv", "--text=-", "--encoding", "latin-1", *SMALL]) == 0
    assert got["sources"] == ["kjv", "-"]
    assert got["encoding"] == "latin-1"
    assert got["model"].hidden_size == 5
    assert (got["training"].sequence_length, got["training"].seed) == (7, 3)


@pytest.mark.usefixtures("wrong")
def test_wrong_gradient_has_verdict_wrong(call: Call) -> None:
    code, out, _ = call("check")
    assert code == 1
    assert re.search(r"^  W +1\.0e\+00 +1\.0e-09 +nan +5\.0e-01 +WRONG$", out, re.MULTILINE)
    assert re.search(r"^  h0 .* -  .*  right$", out, re.MULTILINE)
    assert out.endswith("a gradient is WRONG; checked in 2.0 s\n")


@pytest.mark.usefixtures("wrong")
def test_json_has_no_nan(call: Call) -> None:
    code, out, _ = call("check", "--json")
    assert code == 1
    assert (
        json.loads(out, parse_constant=lambda name: pytest.fail(name))["cells"]["elman"]["W"]["max_rel_central"] is None
    )


def test_every_kind_of_network(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gradient_survey, "LAYERS", (1,))  # tests/network checks them with more
    code, out, _ = call("check", "--every", "--json")
    assert code == 0
    found = json.loads(out)
    assert list(found["cells"]) == list(NETWORKS)
    assert found["configurations"] == 2 * len(NETWORKS)
    assert found["passed"] is True
    code, out, _ = call("check", "--every")
    assert code == 0
    assert (
        "gradients of gru, 1 to 3 layers, with and without dropout, 1 and 3 streams, compared with numerical "
        "gradients:\n" in out
    )
