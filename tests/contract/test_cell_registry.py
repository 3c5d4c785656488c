"""Every cell has all its parts (settings, equations, kernels, exports, browser code), and they fit together."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import numpy as np
import pytest

from recurra import config as settings
from recurra.config import ModelConfig
from recurra.engines.kernels.cell_kernels import CellKernels
from recurra.engines.kernels.cell_registry import KERNELS
from recurra.errors import UsageError
from recurra.network import cells
from recurra.network.cells import CELLS, onnx_operator, torch_module
from recurra.network.cells.cell_spec import CellSpec, OnnxOperator, TorchModule
from recurra.web.assets import asset

D, H = 5, 16


def browser_cells() -> set[str]:
    """Return the names in the registry of cells.js."""
    table = re.search(r"^export const CELLS = \{\n(.*?)^\};", asset("cells.js"), re.S | re.M)
    assert table is not None
    return set(re.findall(r"^  (\w+)[:,]", table[1], re.M))


def missing_parts(name: str, spec: CellSpec, kernels: CellKernels | None, browser: set[str]) -> list[str]:
    """Return the names of the parts of a cell that are absent or do not fit the other parts."""
    problems: list[str] = []

    def require(good: bool, part: str) -> None:
        if not good:
            problems.append(part)

    require(spec.name == name, "name")
    require(bool(spec.display_name), "display_name")
    require(spec.state._fields[:1] == ("h",), "state")
    require(len(set(spec.gates)) == len(spec.gates) > 0, "gates")
    for activation in spec.activations:
        config = ModelConfig(cell=name, activation=activation, hidden_size=H)
        equations = spec.equations(config)
        shapes = equations.shapes(D, H)
        require(all(shapes[key][0] == len(spec.gates) * H for key in spec.stacked & set(shapes)), "stacked")
        require(spec.gate_biases.keys() <= shapes.keys(), "gate_biases")
        require(spec.variant(activation) in browser, "cells.js")
    require({gate for gates in spec.gate_biases.values() for gate in gates} <= set(spec.gates), "gate_biases")
    if spec.torch is not None:
        require(set(spec.torch.recurrent_biases.values()) <= set(spec.gates), "torch")
    if spec.onnx is not None:
        require(sorted(spec.onnx.gates) == sorted(spec.gates), "onnx")
    if kernels is None:
        problems.append("kernels")
        return problems
    require(
        kernels.saved(ModelConfig(cell=name, hidden_size=H), 0, 4, H).da.shape == (4, len(spec.gates) * H),
        "kernels.saved",
    )
    require(not any(field.any() for field in kernels.carried(2, H)), "kernels.carried")
    return problems


@pytest.mark.parametrize("name", CELLS)
def test_every_cell_is_complete(name: str) -> None:
    assert missing_parts(name, CELLS[name], KERNELS.get(name), browser_cells()) == []


def test_settings_reference_and_kernels_have_the_same_cells() -> None:
    assert list(settings.CELLS) == list(CELLS) == list(KERNELS)
    assert len({kernels.StepWeights for kernels in KERNELS.values()}) == len(KERNELS)
    assert browser_cells() == {spec.variant(activation) for spec in CELLS.values() for activation in spec.activations}


BROKEN: list[tuple[str, dict[str, Any]]] = [
    ("name", {"name": "gru"}),
    ("display_name", {"display_name": ""}),
    ("gates", {"gates": ("i", "f", "g", "g")}),
    ("stacked", {"gates": ("i", "f", "o")}),
    ("gate_biases", {"gate_biases": {"b": {"forget": 1.0}}}),
    ("gate_biases", {"gate_biases": {"bias": {"f": 1.0}}}),
    ("torch", {"torch": TorchModule(name="LSTM", recurrent_biases={"b_n": "n"})}),
    ("onnx", {"onnx": OnnxOperator(name="LSTM", gates=("i", "o", "f", "c"))}),
]


@pytest.mark.parametrize(("part", "changes"), BROKEN, ids=[part for part, _ in BROKEN])
def test_missing_parts_names_a_broken_part(part: str, changes: dict[str, Any]) -> None:
    spec = dataclasses.replace(CELLS["lstm"], **changes)
    assert part in missing_parts("lstm", spec, KERNELS["lstm"], browser_cells())


def test_missing_parts_names_an_absent_part() -> None:
    spec, kernels = CELLS["gru"], KERNELS["gru"]
    assert missing_parts("gru", spec, None, browser_cells()) == ["kernels"]
    assert missing_parts("gru", spec, kernels, {"lstm"}) == ["cells.js"]
    swapped = dataclasses.replace(kernels, saved=KERNELS["elman"].saved)
    assert missing_parts("gru", spec, swapped, browser_cells()) == ["kernels.saved"]
    parts = {field.name: getattr(spec, field.name) for field in dataclasses.fields(spec)}
    for part in ("state", "gates", "equations"):
        with pytest.raises(TypeError, match=part):
            CellSpec(**{name: value for name, value in parts.items() if name != part})
    parts = {field.name: getattr(kernels, field.name) for field in dataclasses.fields(kernels)}
    for part in parts:
        with pytest.raises(TypeError, match=part):
            CellKernels(**{name: value for name, value in parts.items() if name != part})


def test_export_target_without_the_cell_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(cells.CELLS, "gru", dataclasses.replace(CELLS["gru"], torch=None, onnx=None))
    config = ModelConfig(cell="gru")
    with pytest.raises(UsageError, match="PyTorch has no module for the cell `gru`; expected elman or lstm"):
        torch_module(config)
    with pytest.raises(UsageError, match="ONNX has no operator for the cell `gru`; expected elman or lstm"):
        onnx_operator(config)


@pytest.mark.parametrize("name", CELLS)
def test_kernels_have_weights_for_all_passes(name: str) -> None:
    """`pack` makes the matrices, one for each layer; biases keep an axis for the layers."""
    config = ModelConfig(cell=name, hidden_size=H, layers=2)
    shapes = CELLS[name].equations(config).shapes(H, H)
    padded = {
        key: np.ones((shape[1], shape[0]) if len(shape) == 2 else (1, *shape), np.float32)
        for key, shape in shapes.items()
    }
    weights = KERNELS[name].step_weights(config, [padded, padded], np.stack)
    assert type(weights) is KERNELS[name].StepWeights
    for key, array in weights._asdict().items():
        if key in padded:
            assert array.shape == (2, *padded[key].shape)
    layer = KERNELS[name].layer_weights(config, padded, {})
    assert all(np.shares_memory(array, padded[key]) for key, array in layer._asdict().items() if key in padded)
