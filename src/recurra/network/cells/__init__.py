"""The recurrent cells: one module for each cell, and the registry `CELLS` of all cells.

T time steps, B streams, D inputs, H hidden units; x_t and h_t are columns in the equations and rows in the code, so
that U x_t is `x @ U.T`. `*` multiplies element by element. dL/dA is the gradient of the loss L with respect to A.

A cell reads inputs x (T, B, D) and a state, whose arrays are (B, H), and computes the hidden states h (T, B, H). For
each NAME in `config.CELLS` the module `NAME` has `SPEC`, a `CellSpec`, and three functions:

    shapes(inputs, hidden)           return the shapes of the parameters of one layer, by name
    forward(parameters, x, state)    return h, the final state, and the cache for the backward pass
    backward(parameters, cache, dh, dstate)
                                     return the gradients of the parameters, of x, and of the initial state

The functions write to none of their arguments, and compute in the dtype of their arguments: float64, or complex128 in
a complex-step gradient check. The gradient check runs a cell on many perturbed copies at once. Therefore `forward`
accepts complex numbers, multiplies by whole weight matrices (it splits the product into gates, not the matrix), and
broadcasts: B may be 1 in some arrays and more in others.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final, TypeVar

from recurra import config as settings
from recurra.errors import UsageError

if TYPE_CHECKING:
    from recurra.config import ModelConfig
    from recurra.network.cells.cell_spec import CellSpec, Equations, OnnxOperator, TorchModule

Part = TypeVar("Part")
CELLS: Final[dict[str, CellSpec]] = {name: import_module(f"{__name__}.{name}").SPEC for name in settings.CELLS}


def cell_of(config: ModelConfig) -> CellSpec:
    """Return the cell of the network that `config` describes.

    Args:
        config: the model settings, of which `cell` is read.

    Returns: the entry of `CELLS`.
    """
    return CELLS[config.cell]


def torch_module(config: ModelConfig) -> TorchModule:
    """Return the PyTorch module that computes the cell.

    Args:
        config: the model settings, of which `cell` is read.

    Returns: the class name and the places of the biases in it.
    Raises: UsageError if PyTorch has no module for this cell.
    """
    spec = cell_of(config)
    return _present(spec.torch, spec, "PyTorch has no module", [cell.name for cell in CELLS.values() if cell.torch])


def onnx_operator(config: ModelConfig) -> OnnxOperator:
    """Return the ONNX operator that computes the cell.

    Args:
        config: the model settings, of which `cell` is read.

    Returns: the operator's name, attributes and order of gates.
    Raises: UsageError if ONNX has no operator for this cell.
    """
    spec = cell_of(config)
    return _present(spec.onnx, spec, "ONNX has no operator", [cell.name for cell in CELLS.values() if cell.onnx])


def _present(part: Part | None, spec: CellSpec, missing: str, others: list[str]) -> Part:
    if part is None:
        raise UsageError(
            f"{missing} for the cell `{spec.name}`; expected {' or '.join(others)}.",
            hint=f"train a network with another cell: `recurra train --cell {others[0]}`.",
        )
    return part


def equations_of(config: ModelConfig) -> Equations:
    """Return the functions `shapes`, `forward` and `backward` of a network's cell.

    Args:
        config: the model settings: the cell and its options, such as the activation.

    Returns: the three functions with the options applied.
    """
    return cell_of(config).equations(config)
