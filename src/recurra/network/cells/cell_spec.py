"""`CellSpec`: everything about one recurrent cell that other modules read. `cells` explains the letters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from recurra.config import CELLS, ModelConfig

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]


class Shapes(Protocol):
    """Return the shapes of the parameters of one layer by name, with D = `inputs` and H = `hidden`."""

    def __call__(self, inputs: int, hidden: int) -> dict[str, tuple[int, ...]]: ...


class Forward(Protocol):
    """Return h (T, B, H), the final state (B, H), and the cache that `Backward` needs, from x (T, B, D)."""

    def __call__(self, parameters: Mapping[str, Array], x: Array, state: Any) -> tuple[Array, Any, Any]: ...


class Backward(Protocol):
    """Return the gradients of the parameters, of x, and of the initial state.

    dh (T, B, H) is the part of dL/dh_t that reaches each h_t through the layers above; `dstate` (B, H) is the gradient
    of the final state, which comes from later time steps.
    """

    def __call__(
        self, parameters: Mapping[str, Array], cache: Any, dh: Array, dstate: Any
    ) -> tuple[dict[str, Array], Array, Any]: ...


class Equations(NamedTuple):
    """The functions of a cell with its options applied, such as the activation."""

    shapes: Shapes
    forward: Forward
    backward: Backward


@dataclass(frozen=True, kw_only=True)
class TorchModule:
    """The class of `torch.nn` that computes the cell; it stacks the gates in the same order.

    U is weight_ih, W is weight_hh and b is bias_ih. `recurrent_biases` maps each further bias (H,) to a gate: the bias
    fills the rows of this gate in bias_hh. The other rows of bias_hh are zero.
    """

    name: str
    takes_activation: bool = False
    recurrent_biases: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class OnnxOperator:
    """The ONNX operator that computes the cell, and the order in which ONNX stacks the gates.

    `recurrent_biases` maps biases to gates as in `TorchModule`; they fill the second half of the bias of ONNX.
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
    gates: the names of the gates; each parameter in `stacked` holds H rows for every gate, in this order
    equations: return the reference functions (float64) for the settings of a network
    stacked: the names of the parameters whose rows are stacked by gate
    gate_biases: the initial biases other than zero, by parameter and gate
    input_deviation: the initial standard deviation of U in the first layer; None: the default of the activation
    torch, onnx: the equivalent in PyTorch and in ONNX; None if there is none
    matlab: the MATLAB line that computes the new h of one layer; None if the assignment's struct RNN cannot store the
        cell's parameters
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
        """The activations that the cell accepts; the first is the default."""
        return CELLS[self.name]

    def variant(self, activation: str, separator: str = "_") -> str:
        """Return the cell's name, followed by the activation unless it is the default: "elman", "elman_relu".

        Args:
            activation: one of `activations`.
            separator: the text between the two names.

        Returns: the name.
        """
        return self.name if activation == self.activations[0] else f"{self.name}{separator}{activation}"

    def gate_rows(self, gate: str, hidden: int) -> slice:
        """Return the rows of one gate in a stacked parameter.

        Args:
            gate: one of `gates`.
            hidden: H, the number of hidden units.

        Returns: a slice of H rows.
        """
        start = self.gates.index(gate) * hidden
        return slice(start, start + hidden)
