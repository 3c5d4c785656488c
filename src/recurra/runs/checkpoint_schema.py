"""The schema of a checkpoint file: it is untrusted input, and training resumes only from valid metadata."""

from __future__ import annotations

import sys
import types
import typing
from collections.abc import Mapping
from typing import Any, NamedTuple

from recurra.training.loss_history import History


class OptionalEntry(NamedTuple):
    """The kind of a value that files of earlier versions lack."""

    kind: Any


_TEXT: Mapping[str, Any] = {
    "name": str, "encoding": str, "characters": int, "symbols": int, "sha256": str, "notes": list[str],
}  # fmt: skip
_HISTORY: Mapping[str, Any] = {  # a checkpoint that was written before epochs could be dropped has no number of them
    **typing.get_type_hints(History), "epochs_dropped": OptionalEntry(int),
}  # fmt: skip
_PROGRESS: Mapping[str, Any] = {
    "update": int, "cursor": tuple[int, int], "history": _HISTORY, "gradient_norm_sum": float,
    "validation": float | None, "best_loss": float | None, "best_update": int | None, "worse": int, "drops": int,
}  # fmt: skip
PROGRESS: Mapping[str, Any] = {"progress": _PROGRESS}
SETTINGS: Mapping[str, Any] = {"training": dict, "text": _TEXT}
BEST: Mapping[str, Any] = {"update": int, "sha256": str}
LARGEST = 2**63


def find_metadata_fault(metadata: Mapping[str, Any], kind: Mapping[str, Any]) -> str | None:
    """What in the metadata of a checkpoint is not of its `kind`, or no best model; None where all is right."""
    best = metadata.get("best")
    return find_fault(metadata, kind) or (None if best is None else find_fault(best, BEST, "best"))


def find_fault(value: Any, kind: Any, name: str = "metadata") -> str | None:
    """The name of the first value that is not of its `kind`, a type or a table of kinds; None where all are.

    Whole numbers are from 0 to 2^63; a float is any finite number, whole or not. Other names may stand in a table
    besides, and one that `OptionalEntry` may be absent.
    """
    if isinstance(kind, Mapping):
        if not isinstance(value, dict):
            return name
        optional = {key: of.kind for key, of in kind.items() if isinstance(of, OptionalEntry)}
        missing = next((key for key in kind if key not in value and key not in optional), None)
        there = {key: of for key, of in {**kind, **optional}.items() if key in value}
        return missing or next((found for key, of in there.items() if (found := find_fault(value[key], of, key))), None)
    return None if _is(value, kind) else name


def _is(value: Any, kind: Any) -> bool:
    if isinstance(kind, types.UnionType):
        return any(_is(value, one) for one in typing.get_args(kind))
    if typing.get_origin(kind) is list:
        return isinstance(value, list) and all(_is(item, typing.get_args(kind)[0]) for item in value)
    if typing.get_origin(kind) is tuple:  # which JSON writes as a list
        kinds = typing.get_args(kind)
        return isinstance(value, list) and len(value) == len(kinds) and all(map(_is, value, kinds))
    if isinstance(value, bool) or kind is bool:
        return isinstance(value, bool) and kind is bool
    if kind is float:
        return isinstance(value, (int, float)) and abs(value) <= sys.float_info.max
    return isinstance(value, kind) and (kind is not int or 0 <= value < LARGEST)
