"""What the tests of the commands share."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple


class Called(NamedTuple):
    """What a command gave back."""

    code: int
    out: str
    err: str


Call = Callable[..., Called]
