"""Parameters end to end in one array, and the optimizer state of each parameter by its name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, Protocol

from numpy.typing import NDArray

Array = NDArray[Any]
FLAT: Final = "all"  # the name of the parameters laid end to end


class FlatLayout(Protocol):
    """Where each parameter lies."""

    def pack(self, values: Mapping[str, Array], prefix: str = "") -> Array:
        """The flat array of `values`, whose names begin with `prefix`."""

    def unpack(self, flat: Array, prefix: str = "") -> dict[str, Array]:
        """Copies of the values in `flat`, by name."""


def unflatten_state(state: Mapping[str, Array], layout: FlatLayout) -> dict[str, Array]:
    """Copies of an optimizer's state, `KIND.all` as `KIND.NAME` for each parameter, and what it has besides."""
    found: dict[str, Array] = {}
    for name, own in state.items():
        kind, _, of = name.rpartition(".")
        found |= layout.unpack(own, f"{kind}.") if of == FLAT else {name: own.copy()}
    return found


def flatten_state(names: Iterable[str], saved: Mapping[str, Array], layout: FlatLayout) -> dict[str, Array]:
    """The state of these `names` for the flat array, from one that was `saved` by the parameters' names."""
    found: dict[str, Array] = {}
    for name in names:
        kind, _, of = name.rpartition(".")
        found[name] = layout.pack(saved, f"{kind}.") if of == FLAT else saved[name]
    return found
