"""The recurrent cells by name: one module each, with the same functions.

A cell turns inputs x (T, B, D) and a state of arrays (B, H) into hidden units h (T, B, H). Its module holds

    gates                            rows of U, W and b for one hidden unit
    State                            a NamedTuple of the arrays that time carries: h, and what else it needs
    shapes(inputs, hidden)           its parameters by name and shape, D = inputs and H = hidden
    forward(parameters, x, state)    h, the final state, and the cache that backward needs
    backward(parameters, cache, dh, dstate)
                                     the gradients of the parameters, of x, and of the state at the start

where dh (T, B, H) is the gradient that reaches each h_t from above and dstate the one that reaches the final
state from later time. Two rules let the gradient check run a cell on many perturbed copies at once: `forward`
works on complex numbers and uses a weight matrix whole, as `x @ U.T` (gates are split from the product, not
from the matrix); and B may be 1 in one array and more in another, so that they broadcast.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

from recurra.network.cells import elman, elman_relu, gru, lstm

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from recurra.config import ModelConfig

    Array = npt.NDArray[Any]


class Cell(Protocol):
    """What a cell's module holds."""

    @property
    def gates(self) -> int: ...

    @property
    def State(self) -> Any: ...  # noqa: N802 - a class

    def shapes(self, inputs: int, hidden: int) -> dict[str, tuple[int, ...]]: ...

    def forward(self, parameters: Mapping[str, Array], x: Array, state: Any) -> tuple[Array, Any, Any]: ...

    def backward(
        self, parameters: Mapping[str, Array], cache: Any, dh: Array, dstate: Any
    ) -> tuple[dict[str, Array], Array, Any]: ...


CELLS: Final[dict[str, Cell]] = {"elman": elman, "lstm": lstm, "gru": gru}


def cell_of(config: ModelConfig) -> Cell:
    """The cell of the network that `config` describes."""
    return elman_relu if config.activation == "relu" else CELLS[config.cell]
