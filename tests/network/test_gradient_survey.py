"""The survey: the gradient check of every kind of network."""

from typing import Any

import pytest

from recurra.network import gradient_survey
from recurra.network.cells import lstm


def test_every_gradient_is_correct_and_nonzero() -> None:
    results = gradient_survey.survey()
    assert list(results) == list(gradient_survey.NETWORKS)
    assert list(results["lstm"]) == ["U", "W", "b", "V", "c", "h0", "c0", "x"]
    assert "b_n" in results["gru"]
    assert "W" not in results["mingru"]
    assert {"Q1", "R2", "Q3", "R4", "Q5"} < results["mogrifier"].keys()
    for letters in results.values():
        for figure in letters.values():
            assert figure.passed
            assert 0 < figure.max_rel_complex < 1e-13
            assert figure.seed_tolerance is None


def test_survey_covers_layers_dropout_and_streams() -> None:
    configurations = list(gradient_survey.configurations())
    assert len(configurations) == len(set(configurations)) == 60
    assert ("gru", 3, 0.4, 3) in configurations
    assert ("gru", 1, 0.4, 3) not in configurations
    assert len({gradient_survey.T, gradient_survey.H, gradient_survey.K, *gradient_survey.STREAMS}) == 5


def test_wrong_formula_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    right = lstm.backward

    def wrong(*arguments: Any) -> Any:
        gradients, dx, dstate = right(*arguments)
        return gradients, dx, dstate._replace(c=dstate.c * 1.0001)

    monkeypatch.setattr(lstm, "backward", wrong)
    monkeypatch.setattr(gradient_survey, "LAYERS", (1, 2))
    cells = {name: gradient_survey.NETWORKS[name] for name in ("elman", "lstm", "gru")}
    monkeypatch.setattr(gradient_survey, "NETWORKS", cells)
    results = gradient_survey.survey()
    assert [letter for letter, figure in results["lstm"].items() if not figure.passed] == ["c0"]
    assert all(figure.passed for cell in ("elman", "gru") for figure in results[cell].values())
