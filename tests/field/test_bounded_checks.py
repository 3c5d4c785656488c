"""The gradient check of a large network or a long sequence takes a random sample of a stated share."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import recurra
from recurra.cli.commands.check import lines
from recurra.config import ModelConfig
from recurra.errors import Interrupted
from recurra.network import gradient_check, network
from recurra.network.cells import CELLS
from recurra.network.gradient_check import SAMPLE_DIVISOR, Figures, check
from recurra.network.parameters import initialize
from recurra.report.document import write_report
from recurra.runs import run as run_module
from recurra.runs import summary as summary_module
from recurra.training.events import Gathering

K, H, T = 60, 6, 8
SMALL: dict[str, Any] = {"preset": "classic", "hidden_size": 8, "sample_every": 0, "updates": 20}
BOOK = "A small book, of few words, read many times over.\n" * 60


Problem = tuple[ModelConfig, dict[str, np.ndarray], np.ndarray, np.ndarray, Any]


def problem(cell: str, streams: int = 1) -> Problem:
    config = ModelConfig(cell=cell, hidden_size=H)
    draw = np.random.default_rng(1)
    parameters = {
        name: array.astype(np.float64) + draw.normal(0, 0.1, array.shape)
        for name, array in initialize(config, K, seed=1, scale=0.5).items()
    }
    ids = draw.integers(0, 7, (T + 1, streams))  # few of the symbols are read
    return config, parameters, ids[:-1], ids[1:], network.zero_state(config, streams)


def work_for(elements: int, p: Problem) -> int:
    return elements * int(p[2].size) * sum(array.size for array in p[1].values())


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("streams", [1, 3])
def test_sample_has_elements_of_each_parameter(cell: str, streams: int) -> None:
    p = problem(cell, streams)
    told: list[tuple[int, int]] = []
    found = check(*p, work=work_for(300 * SAMPLE_DIVISOR, p), progress=lambda *done: told.append(done))
    for name, figures in found.items():
        assert figures.max_rel_complex <= gradient_check.COMPLEX_TOLERANCE, name
        assert 0 < figures.checked <= figures.elements
    assert found["layers.0.b"].checked == found["layers.0.b"].elements  # small ones whole
    assert found["V"].checked < found["V"].elements == K * H
    alone = sum(figures.checked // (streams if name in ("inputs", "state.h", "state.c") else 1)
                for name, figures in found.items())  # fmt: skip
    assert 200 < alone <= 300
    assert told[0][0] == 0
    assert told[-1][0] == told[-1][1] == alone * streams
    assert told == sorted(told)


def test_checked_elements_depend_only_on_seed() -> None:
    p = problem("elman")
    first, again, other = (check(*p, work=work_for(200 * SAMPLE_DIVISOR, p), seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_all_elements_are_checked_within_work_limit() -> None:
    p = problem("elman")
    elements = sum(figures.elements for figures in check(*p, work=None).values())
    assert all(figures.checked == figures.elements for figures in check(*p, work=None).values())
    assert check(*p, work=work_for(elements, p)) == check(*p, work=None)
    assert any(figures.checked < figures.elements for figures in check(*p, work=work_for(elements - 1, p)).values())


def test_smallest_sample_has_one_element_of_each_parameter() -> None:
    assert {figures.checked for figures in check(*problem("gru"), work=1).values()} == {1}


@pytest.mark.parametrize("name", ["layers.0.U", "layers.0.W", "layers.0.b", "V", "c", "state.h", "inputs"])
def test_sampled_elements_detect_a_wrong_gradient(name: str) -> None:
    p = problem("elman")
    config, parameters, inputs, targets, state = p
    passed = network.forward(config, parameters, inputs, state)
    own = network.backward(config, parameters, passed, targets)
    gradients = own.parameters | {"state.h": own.state.h, "inputs": own.inputs}
    gradients[name] = gradients[name] * (1 + 1e-9)
    wrong = {
        n for n, f in check(*p, gradients, work=work_for(150 * SAMPLE_DIVISOR, p)).items() if f.max_rel_complex > 1e-12
    }
    assert wrong == {name}


def test_sample_detects_zero_and_unread_gradients() -> None:
    p = problem("elman")
    _, gradients, _ = network.loss_and_gradients(*p)
    U = gradients["layers.0.U"]
    assert check(*p, {"layers.0.U": U * 0}, work=work_for(9 * SAMPLE_DIVISOR, p))["layers.0.U"].max_rel_complex > 0.01
    U[2, K - 1] = 1e-9  # that symbol is not read
    assert check(*p, {"layers.0.U": U}, work=work_for(9 * SAMPLE_DIVISOR, p))["layers.0.U"].max_rel_complex > 1e-12


def test_number_of_simultaneous_copies_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    p = problem("elman")
    whole, sizes = check(*p), []
    slopes = gradient_check._slopes

    def watched(own: Any, task: Any) -> Any:
        sizes.append(len(task.elements))
        return slopes(own, task)

    monkeypatch.setattr(gradient_check, "_slopes", watched)
    monkeypatch.setattr(gradient_check, "_MAX_CACHED_NUMBERS", 3 * T * (K + H))
    for name, figures in check(*p).items():
        assert figures.max_abs_central == pytest.approx(whole[name].max_abs_central, abs=1e-9)
    assert max(sizes) == 3


def test_table_has_number_of_checked_elements() -> None:
    figure = Figures(1e-10, 1e-9, 1e-15, 20, 400)._asdict() | {"seed_tolerance": None, "passed": True}
    found = {"cells": {"gru": {"V": figure}}, "passed": True, "parameters": 900, "seconds": 2.0}
    shown = list(lines(found | {"checked": 20, "elements": 400}))
    assert shown[1].endswith("checked")
    assert shown[2].endswith("right    20 of 400")
    assert shown[-1] == "checked a random sample: 20 of 400 elements (5 %); `--complete` checks all elements"
    assert "20 of" not in "\n".join(lines(found | {"checked": 400, "elements": 400}))


def test_report_of_long_sequences_has_checked_share(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(summary_module, "PROOF_WORK", 10_000_000)
    heard: list[Any] = []
    run = recurra.train(text=BOOK, run=tmp_path / "r", sequence_length=300, listeners=[heard.append], **SMALL)
    found = run.summary["gradient_check"]
    assert found["passed"]
    assert 0 < found["checked"] < found["elements"]
    gathered = [event for event in heard if isinstance(event, Gathering)]
    assert (gathered[0].done, gathered[-1].done) == (0, gathered[-1].total)
    page = write_report([run.folder], tmp_path / "report.html").read_text(encoding="utf-8")
    assert f"a random sample of {found['checked']:,} of {found['elements']:,} elements" in page


def test_interrupt_during_report_keeps_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(run_module, "findings", lambda *_, **__: signal.raise_signal(signal.SIGINT))
        with pytest.raises(Interrupted, match="stopped by SIGINT after the last update; the model is saved") as raised:
            recurra.train(text=BOOK, run=tmp_path / "r", report=False, **SMALL)
    assert raised.value.exit_code == 130
    summary = json.loads((tmp_path / "r" / "summary.json").read_text())
    assert summary["updates"] == 20
    assert "baselines" not in summary

    run = recurra.train(run=tmp_path / "r", resume=True, text=BOOK, proof=False)  # which gathers the rest
    assert run.summary["model_sha256"] == summary["model_sha256"]
    assert "baselines" in run.summary
