"""`CellSpec`: the facts about one recurrent cell that the rest of the package reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from recurra.config import CELLS, ModelConfig

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]


class Shapes(Protocol):
    """Return the parameters of one layer by name, with D = `inputs` and H = `hidden`."""

    def __call__(self, inputs: int, hidden: int) -> dict[str, tuple[int, ...]]: ...


class Forward(Protocol):
    """Return h (T, B, H), the final state, and the cache that `Backward` needs."""

    def __call__(self, parameters: Mapping[str, Array], x: Array, state: Any) -> tuple[Array, Any, Any]: ...


class Backward(Protocol):
    """Return the gradients of the parameters, of x, and of the state at the start."""

    def __call__(
        self, parameters: Mapping[str, Array], cache: Any, dh: Array, dstate: Any
    ) -> tuple[dict[str, Array], Array, Any]: ...


class Equations(NamedTuple):
    """The mathematics of a cell with all its settings chosen."""

    shapes: Shapes
    forward: Forward
    backward: Backward


@dataclass(frozen=True, kw_only=True)
class TorchModule:
    """The class of `torch.nn` that computes the cell, its gates stacked in the same order.

    U is weight_ih, W is weight_hh and b is bias_ih. `recurrent_biases` maps a further parameter (H,) to the gate whose
    part of bias_hh it is; the rest of bias_hh is zero.
    """

    name: str
    takes_activation: bool = False
    recurrent_biases: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class OnnxOperator:
    """The operator of ONNX that computes the cell, and the order in which ONNX stacks the gates.

    `recurrent_biases` as in `TorchModule`, for the second half of ONNX's bias.
    """

    name: str
    gates: tuple[str, ...]
    attributes: Mapping[str, Any] = field(default_factory=dict)
    takes_activation: bool = False
    recurrent_biases: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class CellSpec:
    """One recurrent cell.

    name: the value of `ModelConfig.cell`
    display_name: the name in a sentence: "A ... network"
    state: the NamedTuple of the arrays that are carried from one time step to the next; its first field is h
    gates: the names of the blocks of H rows that are stacked in each parameter of `stacked`, in this order
    equations: the reference, float64, for the settings of a network
    gate_biases: initial values other than zero, by parameter and gate
    input_deviation: the initial deviation of U in the first layer; None: the usual one of the activation
    torch, onnx: the counterpart in PyTorch and in ONNX; None if there is none
    matlab: the line of MATLAB that computes the new h of one layer; None if the struct RNN cannot hold the cell
    """

    name: str
    display_name: str
    state: Any
    gates: tuple[str, ...]
    equations: Callable[[ModelConfig], Equations]
    stacked: frozenset[str] = frozenset({"U", "W", "b"})
    gate_biases: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    input_deviation: float | None = None
    torch: TorchModule | None = None
    onnx: OnnxOperator | None = None
    matlab: str | None = None

    @property
    def activations(self) -> tuple[str, ...]:
        """The activations that the cell takes; the first is the usual one."""
        return CELLS[self.name]

    def variant(self, activation: str, separator: str = "_") -> str:
        """Return the cell's name, followed by `activation` unless it is the usual one: "elman", "elman_relu"."""
        return self.name if activation == self.activations[0] else f"{self.name}{separator}{activation}"

    def gate_rows(self, gate: str, hidden: int) -> slice:
        """The rows of `gate` in a stacked parameter of H = `hidden` units."""
        start = self.gates.index(gate) * hidden
        return slice(start, start + hidden)
