"""The recurrent cells: the equations of each in a module of its own, and the registry of them all.

A cell turns inputs x (T, B, D) and a state of arrays (B, H) into hidden units h (T, B, H). The module `NAME` of this
package has its equations and `SPEC`, a `CellSpec`, for each NAME in `config.CELLS`:

    shapes(inputs, hidden)           its parameters by name and shape, D = inputs and H = hidden
    forward(parameters, x, state)    h, the final state, and the cache that backward needs
    backward(parameters, cache, dh, dstate)
                                     the gradients of the parameters, of x, and of the state at the start

dh (T, B, H) is the gradient that reaches each h_t from above; dstate is the gradient that reaches the final
state from later time. Two rules let the gradient check run a cell on many perturbed copies at once: `forward`
works on complex numbers and uses a weight matrix whole, as `x @ U.T` (gates are split from the product, not
from the matrix); and B may be 1 in one array and more in another, so that they broadcast.
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
    """Return the cell of the network that `config` describes."""
    return CELLS[config.cell]


def torch_module(config: ModelConfig) -> TorchModule:
    """Return the cell's module of PyTorch. Raises UsageError if PyTorch has none."""
    spec = cell_of(config)
    return _present(spec.torch, spec, "PyTorch has no module", [one.name for one in CELLS.values() if one.torch])


def onnx_operator(config: ModelConfig) -> OnnxOperator:
    """Return the cell's operator of ONNX. Raises UsageError if ONNX has none."""
    spec = cell_of(config)
    return _present(spec.onnx, spec, "ONNX has no operator", [one.name for one in CELLS.values() if one.onnx])


def _present(part: Part | None, spec: CellSpec, missing: str, others: list[str]) -> Part:
    if part is None:
        raise UsageError(
            f"{missing} for the cell `{spec.name}`; expected {' or '.join(others)}.",
            hint=f"train a network with such a cell: `recurra train --cell {others[0]}`.",
        )
    return part


def equations_of(config: ModelConfig) -> Equations:
    """Return the reference equations of the network that `config` describes."""
    return cell_of(config).equations(config)
