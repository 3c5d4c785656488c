"""All parameters in one flat array, and the optimizer state converted between flat and named arrays."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, Protocol

from numpy.typing import NDArray

Array = NDArray[Any]
FLAT: Final = "all"  # the name of the flat array in an optimizer state


class FlatLayout(Protocol):
    """The place of each parameter in the flat array."""

    def pack(self, values: Mapping[str, Array], prefix: str = "") -> Array:
        """Return the flat array of `values`, whose names begin with `prefix`."""

    def unpack(self, flat: Array, prefix: str = "") -> dict[str, Array]:
        """Return copies of the values in `flat`, by name."""


def unflatten_state(state: Mapping[str, Array], layout: FlatLayout) -> dict[str, Array]:
    """Return a copy of an optimizer state, with `KIND.NAME` for each parameter instead of `KIND.all`."""
    result: dict[str, Array] = {}
    for name, array in state.items():
        kind, _, parameter = name.rpartition(".")
        result |= layout.unpack(array, f"{kind}.") if parameter == FLAT else {name: array.copy()}
    return result


def flatten_state(names: Iterable[str], saved: Mapping[str, Array], layout: FlatLayout) -> dict[str, Array]:
    """Return the entries `names` of the flat optimizer state, from a `saved` state with `KIND.NAME` per parameter."""
    result: dict[str, Array] = {}
    for name in names:
        kind, _, parameter = name.rpartition(".")
        result[name] = layout.pack(saved, f"{kind}.") if parameter == FLAT else saved[name]
    return result
