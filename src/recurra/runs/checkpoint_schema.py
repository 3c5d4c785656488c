"""The schema of a checkpoint file: it is untrusted input, and training resumes only from valid metadata."""

from __future__ import annotations

import sys
import types
import typing
from collections.abc import Mapping
from typing import Any, NamedTuple

from recurra.training.loss_history import History


class OptionalEntry(NamedTuple):
    """The kind of a value that files of earlier versions do not have."""

    kind: Any


_TEXT: Mapping[str, Any] = {
    "name": str, "encoding": str, "characters": int, "symbols": int, "sha256": str, "notes": list[str],
}  # fmt: skip
_HISTORY: Mapping[str, Any] = {  # old checkpoints have no number of dropped epochs
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
    """Return the name of the first invalid value in the metadata of a checkpoint; None if all are valid.

    `kind` is the table of the valid kinds, such as `PROGRESS`. The entry "best" must match `BEST` or be None.
    """
    best = metadata.get("best")
    return find_fault(metadata, kind) or (None if best is None else find_fault(best, BEST, "best"))


def find_fault(value: Any, kind: Any, name: str = "metadata") -> str | None:
    """Return the name of the first invalid value; None if `value`, called `name`, and all values in it are valid.

    `kind` is a type, or a table of kinds by name. An int is from 0 to 2^63 - 1; a float is any finite number, also a
    whole one. A table may have other names too, and an `OptionalEntry` may be absent.
    """
    if isinstance(kind, Mapping):
        if not isinstance(value, dict):
            return name
        optional = {key: of.kind for key, of in kind.items() if isinstance(of, OptionalEntry)}
        missing = next((key for key in kind if key not in value and key not in optional), None)
        present = {key: of for key, of in {**kind, **optional}.items() if key in value}
        return missing or next((key for key in (find_fault(value[k], of, k) for k, of in present.items()) if key), None)
    return None if _is(value, kind) else name


def _is(value: Any, kind: Any) -> bool:
    if isinstance(kind, types.UnionType):
        return any(_is(value, member) for member in typing.get_args(kind))
    if typing.get_origin(kind) is list:
        return isinstance(value, list) and all(_is(item, typing.get_args(kind)[0]) for item in value)
    if typing.get_origin(kind) is tuple:  # JSON has a list for a tuple
        kinds = typing.get_args(kind)
        return isinstance(value, list) and len(value) == len(kinds) and all(map(_is, value, kinds))
    if isinstance(value, bool) or kind is bool:
        return isinstance(value, bool) and kind is bool
    if kind is float:
        return isinstance(value, (int, float)) and abs(value) <= sys.float_info.max
    return isinstance(value, kind) and (kind is not int or 0 <= value < LARGEST)
