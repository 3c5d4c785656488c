"""The gradient check: correct gradients pass, wrong gradients fail, and threads and copies do not change the result."""

from __future__ import annotations

import inspect
import math
from types import ModuleType

import numpy as np
import pytest

from problems import CELLS, failures, masks_of, problem
from recurra.network import gradient_check, network, output
from recurra.network.cells import elman, gru, lstm
from recurra.network.gradient_check import Figures, check, check_initial_and_trained, to_table
from recurra.network.network import State
from recurra.network.state import named_state

RECURRENT = ["layers.0.U", "layers.0.W", "layers.0.b", "state.h", "inputs"]
EVERYTHING = ["layers.0.U", "layers.0.W", "layers.0.b", "V", "c", "state.h", "inputs"]


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("drops", [False, True], ids=["no dropout", "dropout"])
@pytest.mark.parametrize("sizes", [(6, 3, 2, 5), (1, 3, 2, 4), (5, 1, 4, 3)], ids=str)
def test_correct_network_passes(sizes: tuple[int, int, int, int], drops: bool, layers: int, cell: str) -> None:
    T, B, H, K = sizes
    p = problem(cell, T=T, B=B, H=H, K=K, layers=layers)
    masks = masks_of(p) if drops else None
    figures = check(*p, masks=masks)
    assert list(figures) == [*p.parameters, *named_state(p.state), "inputs"]
    assert failures(figures) == []
    for name, figure in figures.items():
        assert 0 <= figure.max_rel_complex < 1e-13, name
        if cell != "elman_relu":  # a step of 1e-4 may cross a kink of relu
            assert 0 < figure.max_abs_central < 1e-6, name
            assert 0 < figure.max_rel_central < 1e-6, name


# Each: the module whose `backward` is broken, the correct code, the wrong code, and the gradients that must fail.
FORMULAS = [
    (elman, "dh_t = dh[t] + dh_next", "dh_t = dh[t]", RECURRENT),
    (elman, "dh_t = dh[t] + dh_next", "dh_t = dh_next", RECURRENT),
    (elman, "dh_t * slope(h[t])", "dh_t", RECURRENT),
    (elman, "dh_t * slope(h[t])", "dh_t * (1 - h[t])", RECURRENT),
    (elman, "dh_t * slope(h[t])", "dh_t * slope(h[t - 1])", RECURRENT),
    (elman, "dh_next = da[t] @ W", "dh_next = da[t] @ W.T", RECURRENT),
    (elman, "dh_next = da[t] @ W", "dh_next = dh_t @ W", RECURRENT),
    (elman, "np.concatenate([h0[np.newaxis], h[:-1]])", "h", ["layers.0.W"]),
    (elman, "np.concatenate([h0[np.newaxis], h[:-1]])", "np.concatenate([0 * h[:1], h[:-1]])", ["layers.0.W"]),
    (elman, "np.concatenate([h0[np.newaxis], h[:-1]])", "np.roll(h, 1, axis=0)", ["layers.0.W"]),
    (elman, "np.tensordot(da, x,", "np.tensordot(da[1:], x[1:],", ["layers.0.U"]),
    (elman, "np.tensordot(da, x,", "np.tensordot(da[1:], x[:-1],", ["layers.0.U"]),
    (elman, "np.tensordot(da, h_previous,", "0 * np.tensordot(da, h_previous,", ["layers.0.W"]),
    (elman, "np.tensordot(da, h_previous,", "np.tensordot(h_previous, da,", ["layers.0.W"]),
    (elman, "np.tensordot(da, h_previous,", "np.tensordot(da[1:], h_previous[1:],", ["layers.0.W"]),
    (elman, "da.sum(axis=(0, 1))", "da[-1].sum(axis=0)", ["layers.0.b"]),
    (elman, "da.sum(axis=(0, 1))", "da.mean(axis=(0, 1))", ["layers.0.b"]),
    (elman, "da.sum(axis=(0, 1))", "da[:, 0].sum(axis=0)", ["layers.0.b"]),
    (elman, "State(h=dh_next)", "State(h=0 * dh_next)", ["state.h"]),
    (elman, "State(h=dh_next)", "State(h=da[0])", ["state.h"]),
    (elman, "da @ U, State", "da[::-1] @ U, State", ["inputs"]),
    (output, "np.exp(log_probabilities) - y", "y - np.exp(log_probabilities)", EVERYTHING),
    (output, "np.exp(log_probabilities) - y", "np.exp(log_probabilities)", EVERYTHING),
    (output, "np.exp(log_probabilities) - y", "log_probabilities - y", EVERYTHING),
    (output, "np.tensordot(g, h,", "np.tensordot(g[:-1], h[:-1],", ["V"]),
    (output, "np.tensordot(g, h,", "np.tensordot(g[1:], h[:-1],", ["V"]),
    (output, "np.tensordot(g, h,", "np.tensordot(h, g,", ["V"]),
    (output, "g.sum(axis=(0, 1))", "g[-1].sum(axis=0)", ["c"]),
    (output, "g.sum(axis=(0, 1))", "g.mean(axis=(0, 1))", ["c"]),
    (output, "return gradients, g @ V", "return gradients, g @ V.T", RECURRENT),
    (output, "return gradients, g @ V", "return gradients, 0 * (g @ V)", RECURRENT),
]


def break_formula(monkeypatch: pytest.MonkeyPatch, module: ModuleType, right: str, wrong: str) -> None:
    """Replace `backward` of a module with a copy in which the code `right` is changed to `wrong`."""
    source = inspect.getsource(module.backward)
    assert source.count(right) == 1, f"{right!r} is no longer in {module.__name__}.backward"
    namespace = dict(vars(module))
    exec(source.replace(right, wrong), namespace)  # noqa: S102 - source of this project, one term broken
    monkeypatch.setattr(module, "backward", namespace["backward"])


@pytest.mark.parametrize(
    ("module", "right", "wrong", "failing"), FORMULAS, ids=[f"{right} -> {wrong}" for _, right, wrong, _ in FORMULAS]
)
def test_broken_formula_is_found(
    monkeypatch: pytest.MonkeyPatch, module: ModuleType, right: str, wrong: str, failing: list[str]
) -> None:
    p = problem(T=4, B=2, H=3, K=3)  # H = K, so that a transposed matrix still fits
    break_formula(monkeypatch, module, right, wrong)
    assert sorted(failures(check(*p))) == sorted(failing)


LSTM = [*RECURRENT, "state.c"]
GRU = [*RECURRENT, "layers.0.b_n"]

GATED = [
    (lstm, "dh_t = dh[t] + dh_later", "dh_t = dh[t]", LSTM),
    (lstm, "dh_t = dh[t] + dh_later", "dh_t = dh_later", LSTM),
    (lstm, "dh_t * o * (1 - tanh_c**2) + dc_later", "dh_t * o * (1 - tanh_c**2)", LSTM),
    (lstm, "dh_t * o * (1 - tanh_c**2) + dc_later", "dc_later", LSTM),
    (lstm, "dh_t * o * (1 - tanh_c**2) + dc_later", "dh_t * (1 - tanh_c**2) + dc_later", LSTM),
    (lstm, "dh_t * o * (1 - tanh_c**2) + dc_later", "dh_t * o + dc_later", LSTM),
    (lstm, "dh_t * o * (1 - tanh_c**2) + dc_later", "dh_t * o * (1 - c**2) + dc_later", LSTM),
    (lstm, "tanh_c = np.tanh(c)", "tanh_c = np.tanh(c_previous[t])", LSTM),
    (lstm, "da_i = dc_t * g * i * (1 - i)", "da_i = dc_t * i * (1 - i)", LSTM),
    (lstm, "da_i = dc_t * g * i * (1 - i)", "da_i = dc_t * g", LSTM),
    (lstm, "da_i = dc_t * g * i * (1 - i)", "da_i = 0 * dc_t", LSTM),
    (lstm, "da_f = dc_t * c_previous[t] * f * (1 - f)", "da_f = dc_t * c * f * (1 - f)", LSTM),
    (lstm, "da_f = dc_t * c_previous[t] * f * (1 - f)", "da_f = dc_t * f * (1 - f)", LSTM),
    (lstm, "da_f = dc_t * c_previous[t] * f * (1 - f)", "da_f = dc_t * c_previous[t]", LSTM),
    (lstm, "da_f = dc_t * c_previous[t] * f * (1 - f)", "da_f = 0 * dc_t", LSTM),
    (lstm, "da_g = dc_t * i * (1 - g**2)", "da_g = dc_t * (1 - g**2)", LSTM),
    (lstm, "da_g = dc_t * i * (1 - g**2)", "da_g = dc_t * i", LSTM),
    (lstm, "da_g = dc_t * i * (1 - g**2)", "da_g = dc_t * i * g * (1 - g)", LSTM),
    (lstm, "da_o = dh_t * tanh_c * o * (1 - o)", "da_o = dh_t * c * o * (1 - o)", LSTM),
    (lstm, "da_o = dh_t * tanh_c * o * (1 - o)", "da_o = dh_t * o * (1 - o)", LSTM),
    (lstm, "da_o = dh_t * tanh_c * o * (1 - o)", "da_o = dh_t * tanh_c", LSTM),
    (lstm, "da_o = dh_t * tanh_c * o * (1 - o)", "da_o = 0 * dh_t", LSTM),
    (lstm, "[da_i, da_f, da_g, da_o]", "[da_i, da_g, da_f, da_o]", LSTM),
    (lstm, "[da_i, da_f, da_g, da_o]", "[da_f, da_i, da_g, da_o]", LSTM),
    (lstm, "[da_i, da_f, da_g, da_o]", "[da_i, da_f, da_o, da_g]", LSTM),
    (lstm, "dh_later = da[t] @ W", "dh_later = dh_t", LSTM),
    (lstm, "dc_later = dc_t * f", "dc_later = dc_t", LSTM),
    (lstm, "dc_later = dc_t * f", "dc_later = dc_later * f", LSTM),
    (lstm, "dc_later = dc_t * f", "dc_later = 0 * dc_t", LSTM),
    (lstm, "[state.h, *(step.h for step in steps[:-1])]", "[step.h for step in steps]", ["layers.0.W"]),
    (lstm, "[state.h, *(step.h for step in steps[:-1])]", "[0 * state.h, *(step.h for step in steps[:-1])]",
     ["layers.0.W"]),
    (lstm, "[state.c, *(step.c for step in steps[:-1])]", "[0 * state.c, *(step.c for step in steps[:-1])]",
     RECURRENT),
    (lstm, "np.tensordot(da, x,", "np.tensordot(da[1:], x[:-1],", ["layers.0.U"]),
    (lstm, "np.tensordot(da, h_previous,", "0 * np.tensordot(da, h_previous,", ["layers.0.W"]),
    (lstm, "da.sum(axis=(0, 1))", "da[-1].sum(axis=0)", ["layers.0.b"]),
    (lstm, "da @ U, State", "da[::-1] @ U, State", ["inputs"]),
    (lstm, "State(h=dh_later, c=dc_later)", "State(h=dc_later, c=dh_later)", ["state.h", "state.c"]),
    (lstm, "State(h=dh_later, c=dc_later)", "State(h=dh_later, c=0 * dc_later)", ["state.c"]),
    (gru, "dh_t = dh[t] + dh_next", "dh_t = dh[t]", GRU),
    (gru, "dh_t = dh[t] + dh_next", "dh_t = dh_next", GRU),
    (gru, "du_n = dh_t * (1 - z) * (1 - n**2)", "du_n = dh_t * z * (1 - n**2)", GRU),
    (gru, "du_n = dh_t * (1 - z) * (1 - n**2)", "du_n = dh_t * (1 - n**2)", GRU),
    (gru, "du_n = dh_t * (1 - z) * (1 - n**2)", "du_n = dh_t * (1 - z)", GRU),
    (gru, "du_n = dh_t * (1 - z) * (1 - n**2)", "du_n = 0 * dh_t", GRU),
    (gru, "du_z = dh_t * (h_previous[t] - n) * z * (1 - z)", "du_z = dh_t * (n - h_previous[t]) * z * (1 - z)", GRU),
    (gru, "du_z = dh_t * (h_previous[t] - n) * z * (1 - z)", "du_z = dh_t * h_previous[t] * z * (1 - z)", GRU),
    (gru, "du_z = dh_t * (h_previous[t] - n) * z * (1 - z)", "du_z = dh_t * -n * z * (1 - z)", GRU),
    (gru, "du_z = dh_t * (h_previous[t] - n) * z * (1 - z)", "du_z = dh_t * (h_previous[t] - n)", GRU),
    (gru, "du_z = dh_t * (h_previous[t] - n) * z * (1 - z)", "du_z = 0 * dh_t", GRU),
    (gru, "du_r = du_n * q * r * (1 - r)", "du_r = du_n * r * (1 - r)", GRU),
    (gru, "du_r = du_n * q * r * (1 - r)", "du_r = du_n * q", GRU),
    (gru, "du_r = du_n * q * r * (1 - r)", "du_r = du_n * (q - parameters['b_n']) * r * (1 - r)", GRU),
    (gru, "du_r = du_n * q * r * (1 - r)", "du_r = 0 * du_n", GRU),
    (gru, "np.concatenate([du_r, du_z, du_n], axis", "np.concatenate([du_z, du_r, du_n], axis",
     ["layers.0.U", "layers.0.b", "inputs"]),
    (gru, "[du_r, du_z, du_n * r]", "[du_z, du_r, du_n * r]", GRU),
    (gru, "[du_r, du_z, du_n * r]", "[du_r, du_z, du_n]", GRU),
    (gru, "[du_r, du_z, du_n * r]", "[du_r, du_z, 0 * du_n]", GRU),
    (gru, "dw[t] @ W + dh_t * z", "dw[t] @ W", GRU),
    (gru, "dw[t] @ W + dh_t * z", "dh_t * z", GRU),
    (gru, "dw[t] @ W + dh_t * z", "du[t] @ W + dh_t * z", GRU),
    (gru, "dw[t] @ W + dh_t * z", "dw[t] @ W + dh_t * (1 - z)", GRU),
    (gru, "np.stack([h0, *(step.h for step in steps[:-1])])", "np.stack([step.h for step in steps])", GRU),
    (gru, "np.stack([h0, *(step.h for step in steps[:-1])])", "np.stack([0 * h0, *(step.h for step in steps[:-1])])",
     RECURRENT),
    (gru, "np.tensordot(du, x,", "np.tensordot(dw, x,", ["layers.0.U"]),
    (gru, "np.tensordot(dw, h_previous,", "np.tensordot(du, h_previous,", ["layers.0.W"]),
    (gru, "du.sum(axis=(0, 1))", "dw.sum(axis=(0, 1))", ["layers.0.b"]),
    (gru, "du.sum(axis=(0, 1))", "du[-1].sum(axis=0)", ["layers.0.b"]),
    (gru, "np.split(dw, len(GATES), axis=-1)[-1]", "np.split(du, len(GATES), axis=-1)[-1]", ["layers.0.b_n"]),
    (gru, "np.split(dw, len(GATES), axis=-1)[-1]", "np.split(dw, len(GATES), axis=-1)[0]", ["layers.0.b_n"]),
    (gru, "dq.sum(axis=(0, 1))", "dq[-1].sum(axis=0)", ["layers.0.b_n"]),
    (gru, "du @ U, State", "dw @ U, State", ["inputs"]),
    (gru, "State(h=dh_next)", "State(h=0 * dh_next)", ["state.h"]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("module", "right", "wrong", "failing"), GATED,
    ids=[f"{module.__name__.rpartition('.')[2]}: {right} -> {wrong}" for module, right, wrong, _ in GATED],
)  # fmt: skip
def test_broken_formula_of_a_gated_cell_is_found(
    monkeypatch: pytest.MonkeyPatch, module: ModuleType, right: str, wrong: str, failing: list[str]
) -> None:
    p = problem(module.__name__.rpartition(".")[2], T=3, B=2, H=2, K=3)
    break_formula(monkeypatch, module, right, wrong)
    assert sorted(failures(check(*p))) == sorted(failing)


def test_broken_slope_of_relu_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    p = problem("elman_relu", T=4, B=2, H=3, K=3)
    monkeypatch.setattr(elman, "relu_slope", elman.tanh_slope)
    assert sorted(failures(check(*p))) == sorted(RECURRENT)


BOTH_LAYERS = [*RECURRENT, "layers.1.U", "layers.1.W", "layers.1.b"]
LAYERS = [
    ("passed.caches[layer], dx,", "passed.caches[layer], 0 * dx,", BOTH_LAYERS),
    ("passed.caches[layer], dx,", "passed.caches[0], dx,", BOTH_LAYERS),
    ("dstates.insert(0, dstate0)", "dstates.append(dstate0)", ["state.h"]),
    ("passed.h, passed", "passed.caches[0].h, passed", ["V"]),
]


@pytest.mark.parametrize(
    ("right", "wrong", "failing"), LAYERS, ids=[f"{right} -> {wrong}" for right, wrong, _ in LAYERS]
)
def test_broken_step_between_layers_is_found(
    monkeypatch: pytest.MonkeyPatch, right: str, wrong: str, failing: list[str]
) -> None:
    p = problem(T=4, B=2, H=3, K=3, layers=2)
    break_formula(monkeypatch, network, right, wrong)
    assert sorted(failures(check(*p))) == sorted(failing)


DROPS = [
    ("dx = dx * passed.masks[layer - 1]", "pass", RECURRENT),
    ("dx = dx * passed.masks[layer - 1]", "dx = dx * (passed.masks[layer - 1] > 0)", RECURRENT),
    ("dx = dx * passed.masks[layer - 1]", "dx = dx * passed.masks[layer - 1][::-1]", RECURRENT),
]


@pytest.mark.parametrize(("right", "wrong", "failing"), DROPS, ids=[wrong for _, wrong, _ in DROPS])
def test_broken_dropout_mask_is_found(
    monkeypatch: pytest.MonkeyPatch, right: str, wrong: str, failing: list[str]
) -> None:
    p = problem("gru", T=3, B=2, H=3, K=3, layers=2)
    break_formula(monkeypatch, network, right, wrong)
    assert sorted(failures(check(*p, masks=masks_of(p)))) == sorted({*failing, "layers.0.b_n"})
    assert failures(check(*p)) == []


@pytest.mark.parametrize("name", ["layers.0.U", "layers.1.W", "layers.1.b", "V", "c", "state.h", "inputs"])
def test_single_wrong_element_is_found(name: str) -> None:
    p = problem(layers=2)
    passed = network.forward(p.config, p.parameters, p.inputs, p.state)
    correct = network.backward(p.config, p.parameters, passed, p.targets)
    gradients = correct.parameters | {"state.h": correct.state.h, "inputs": correct.inputs}
    gradients[name].flat[-1] += 1e-9
    assert failures(check(*p, gradients)) == [name]


def test_given_gradients_are_checked_by_name() -> None:
    p = problem()
    _, gradients, _ = network.loss_and_gradients(*p)
    figures = check(*p, {"V": gradients["V"].astype(np.float32)})
    assert list(figures) == ["V"]
    assert 1e-9 < figures["V"].max_rel_complex < 1e-6
    assert failures(figures) == ["V"]
    assert failures(figures, tolerance=1e-6) == []


def test_nan_and_infinity_fail() -> None:
    assert failures({"V": Figures(0.0, 0.0, math.nan)}) == ["V"]
    p = problem()
    _, gradients, _ = network.loss_and_gradients(*p)
    gradients["c"][0] = np.nan
    assert failures(check(*p, gradients)) == ["c"]


def test_wrong_gradient_of_zeros_fails() -> None:
    p = problem()
    assert check(*p, {"V": np.zeros((5, 3))})["V"].max_rel_complex == pytest.approx(1)


def test_correct_gradient_of_zeros_passes() -> None:
    """With one time step and a zero initial state, the loss does not depend on W."""
    p = problem(T=1)._replace(state=State(h=np.zeros((1, 2, 3))))
    assert check(*p)["layers.0.W"][:3] == (0, 0, 0)


def test_figures_are_relative_to_the_largest_gradient() -> None:
    p = problem()
    _, gradients, _ = network.loss_and_gradients(*p)
    wrong = gradients["c"].copy()
    smallest = np.abs(wrong).argmin()
    wrong[smallest] += 0.25
    figure = check(*p, {"c": wrong})["c"]
    largest = max(np.abs(wrong).max(), np.abs(gradients["c"]).max())
    assert figure.max_abs_central == pytest.approx(0.25, rel=1e-6)
    assert figure.max_rel_central == pytest.approx(0.25 / largest, rel=1e-6)
    assert figure.max_rel_complex == pytest.approx(0.25 / largest, rel=1e-12)


def test_threads_and_copies_do_not_change_the_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    p = problem(layers=2)
    monkeypatch.setattr(gradient_check, "usable_cpus", lambda: 1)
    figures = check(*p)
    monkeypatch.setattr(gradient_check, "usable_cpus", lambda: 3)
    assert check(*p) == figures
    monkeypatch.setattr(gradient_check, "_MAX_COPIES", 4)
    for name, figure in check(*p).items():
        assert figure.max_rel_complex < 1e-13
        assert figure.max_abs_central == pytest.approx(figures[name].max_abs_central, abs=1e-10)


def test_preset_classic_passes_within_the_report_figures() -> None:
    initial, trained = problem(T=8, B=1, scale=0.01), problem(T=8, B=1, scale=0.5, seed=1)
    figures = check_initial_and_trained(*initial[:2], trained.parameters, *initial[2:4], trained.state)
    assert list(figures) == ["U", "W", "b", "V", "c", "h0", "x"]
    assert [figures[letter].seed_tolerance for letter in figures] == [1e-7, 1e-9, 1e-6, 1e-7, 1e-5, None, None]
    at_start = check(*initial._replace(state=State(h=np.zeros((1, 1, 3)))))
    after = check(*initial._replace(parameters=trained.parameters, state=trained.state))
    for letter, name in zip(figures, at_start, strict=True):
        row = figures[letter]
        assert row[:2] == at_start[name][:2]
        assert row.max_rel_complex == max(at_start[name].max_rel_complex, after[name].max_rel_complex)
        assert row.passed is True
    table = to_table({"elman": figures})
    assert table["passed"] is True
    assert table["cells"]["elman"]["W"]["seed_tolerance"] == 1e-9


def test_report_figures_apply_to_initial_weights_only() -> None:
    """With weights of order one, the central differences of W are far above 1e-9."""
    small, large = problem(T=8, B=1, scale=0.01), problem(T=8, B=1)
    zeros = State(h=np.zeros((1, 1, 3)))
    assert check(*large._replace(state=zeros))["layers.0.W"].max_abs_central > 1e-9
    at_the_end = check_initial_and_trained(*small[:2], large.parameters, *small[2:4], zeros)
    assert at_the_end["W"].passed
    at_the_start = check_initial_and_trained(*large[:2], small.parameters, *small[2:4], zeros)
    assert not at_the_start["W"].passed
    assert not to_table({"elman": at_the_start})["passed"]


def test_wrong_gradient_at_either_weights_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """With zero weights h is 0 and 1 - h^2 is 1: only the trained weights reveal that this factor is missing."""
    p = problem(T=4, B=1)
    break_formula(monkeypatch, elman, "dh_t * slope(h[t])", "dh_t")
    nothing = {name: np.zeros_like(array) for name, array in p.parameters.items()}
    figures = check_initial_and_trained(p.config, nothing, p.parameters, p.inputs, p.targets, p.state)
    assert [letter for letter, row in figures.items() if not row.passed] == ["U", "W", "b", "h0", "x"]


@pytest.mark.parametrize(
    ("cell", "letters"),
    [
        ("elman_relu", ["U", "W", "b", "V", "c", "h0", "x"]),
        ("lstm", ["U", "W", "b", "V", "c", "h0", "c0", "x"]),
        ("gru", ["U", "W", "b", "b_n", "V", "c", "h0", "x"]),
    ],
)
def test_complex_step_alone_judges_other_cells(cell: str, letters: list[str]) -> None:
    p = problem(cell, T=4, B=1, layers=2)
    figures = check_initial_and_trained(*p[:2], p.parameters, *p[2:4], p.state)
    assert list(figures) == letters
    assert {row.seed_tolerance for row in figures.values()} == {None}
    assert to_table({cell: figures})["passed"]


def test_letter_has_the_largest_difference_of_all_layers() -> None:
    p = problem(T=4, B=1, layers=2)
    zeros = network.zero_state(p.config, 1)
    figures = check_initial_and_trained(*p[:2], p.parameters, *p[2:4], zeros)
    each = check(*p._replace(state=zeros))
    assert list(figures) == ["U", "W", "b", "V", "c", "h0", "x"]
    assert figures["U"].max_abs_central == max(each[f"layers.{i}.U"].max_abs_central for i in (0, 1))
