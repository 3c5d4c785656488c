"""Find the recurrent layers, the projection and an embedding among the tensors of a state_dict."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from recurra.errors import ModelError, UsageError
from recurra.interop import torch_aliases

Array = npt.NDArray[Any]
FIRST_INPUT_WEIGHTS = "weight_ih_l0"
LAYER = re.compile(r"(weight|bias)_(ih|hh)_l(\d{1,4})")
FLOATS = ("float16", "float32", "float64")


class Names(NamedTuple):
    """The names of the modules that the user gives, such as "rnn", "output" and "embedding"; None: find the module."""

    recurrent: str | None = None
    output: str | None = None
    embedding: str | None = None


class Parts:
    """The tensors of a state_dict by their role in the network; each has the shape of its role."""

    def __init__(self, tensors: Mapping[str, Array], recurrent: str, output: str, embedding: str | None) -> None:
        self.recurrent = recurrent  # prefix of the tensor names, with its dot
        self._tensors = tensors
        self.layers = len({match[3] for name in tensors if (match := _layer(name, recurrent))})
        rows, m = self._get(f"{recurrent}weight_hh_l0", None, None).shape
        self._rows, self._m = rows, m
        self.output_weight = self._get(_dotted(output) + "weight", None, m)
        K = len(self.output_weight)
        self.output_bias = self._or_zeros(_dotted(output) + "bias", K)
        self.embedding_weight = None if embedding is None else self._get(_dotted(embedding) + "weight", K, None)
        self._width = K if self.embedding_weight is None else self.embedding_weight.shape[1]

    def weight_ih(self, layer: int) -> Array:
        """Return the input weights (G·H, D) of a layer."""
        return self._get(f"{self.recurrent}weight_ih_l{layer}", self._rows, self._m if layer else self._width)

    def weight_hh(self, layer: int) -> Array:
        """Return the recurrent weights (G·H, H) of a layer."""
        return self._get(f"{self.recurrent}weight_hh_l{layer}", self._rows, self._m)

    def bias(self, which: str, layer: int) -> Array:
        """Return the bias "ih" or "hh" (G·H,) of a layer; zeros if the module has no biases."""
        return self._or_zeros(f"{self.recurrent}bias_{which}_l{layer}", self._rows)

    def _get(self, name: str, *shape: int | None) -> Array:
        if name not in self._tensors:
            raise ModelError(f"`{name:.80}` is missing.", hint=f"the file has {_listed(self._tensors)}.")
        array = self._tensors[name]
        fits = array.ndim == len(shape) and all(n in (size, None) for n, size in zip(shape, array.shape, strict=True))
        if not fits or 0 in array.shape:
            expected = " x ".join("any" if n is None else str(n) for n in shape)
            raise ModelError(f"`{name:.80}` must be {expected}; got {' x '.join(map(str, array.shape)) or 'a number'}.")
        if array.dtype.name not in FLOATS:
            raise ModelError(
                f"`{name:.80}` must be {', '.join(FLOATS[:-1])} or {FLOATS[-1]}; got {array.dtype.name}.",
                hint="save `model.float().state_dict()`.",
            )
        return array

    def _or_zeros(self, name: str, size: int) -> Array:
        return self._get(name, size) if name in self._tensors else np.zeros(size, np.float32)


def parts_of(tensors: Mapping[str, Array], names: Names) -> Parts:
    """Return the tensors by their role in the network.

    Raises: ModelError if a tensor has no role, UsageError if several modules could have the same role.
    """
    names = Names(*(None if name is None else torch_aliases.strip_wrapper_names(name) for name in names))
    tensors = torch_aliases.rename_layers(torch_aliases.strip_wrappers(tensors), names.recurrent)
    recurrent = _recurrent(tensors, names)
    others = {name: array for name, array in tensors.items() if not _layer(name, recurrent)}
    modules = sorted({name.rpartition(".")[0] for name in others})
    output = names.output if names.output is not None else _output(modules, others, names)
    rest = [module for module in modules if module != output]
    embedding = names.embedding if names.embedding is not None else _embedding(rest, others)
    _require_known(others, output, embedding)
    return Parts(tensors, recurrent, output, embedding)


def _recurrent(tensors: Mapping[str, Array], names: Names) -> str:
    """Return the prefix of the names of the recurrent layers, such as "rnn."; it may be empty."""
    prefixes = sorted(
        name.removesuffix(FIRST_INPUT_WEIGHTS)
        for name in tensors
        if name == FIRST_INPUT_WEIGHTS or name.endswith(f".{FIRST_INPUT_WEIGHTS}")
    )
    if names.recurrent is not None:
        prefixes = [prefix for prefix in prefixes if prefix == _dotted(names.recurrent)]
    if not prefixes:
        expected = FIRST_INPUT_WEIGHTS if names.recurrent is None else _dotted(names.recurrent) + FIRST_INPUT_WEIGHTS
        raise ModelError(
            f"the file has no recurrent layers: `{expected}` is missing.", hint=f"the file has {_listed(tensors)}."
        )
    if len(prefixes) > 1:
        modules = [prefix.removesuffix(".") for prefix in prefixes]
        raise UsageError(
            f"the file has several recurrent networks: {_listed(modules)}.",
            hint="name one of them: `--recurrent NAME`.",
        )
    return prefixes[0]


def _output(modules: list[str], others: Mapping[str, Array], names: Names) -> str:
    """Return the output projection: the module named output, else the only module, else the only module with a bias."""
    candidates = [module for module in modules if module != names.embedding]
    if "output" in candidates or not candidates:
        return "output"
    biased = [module for module in candidates if _dotted(module) + "bias" in others]
    chosen = candidates if len(candidates) == 1 else biased
    if len(chosen) != 1:
        raise UsageError(
            f"several modules may be the projection to the characters: {_listed(candidates)}.",
            hint="name one of them: `--projection NAME`.",
        )
    return chosen[0]


def _embedding(rest: list[str], others: Mapping[str, Array]) -> str | None:
    """Return the embedding: the only module in `rest`, if it has a weight; else None."""
    return rest[0] if len(rest) == 1 and _dotted(rest[0]) + "weight" in others else None


def _require_known(others: Mapping[str, Array], output: str, embedding: str | None) -> None:
    """Raise ModelError if a tensor belongs neither to the projection nor to the embedding."""
    known = {_dotted(output) + "weight", _dotted(output) + "bias"}
    known |= set() if embedding is None else {_dotted(embedding) + "weight"}
    unknown = sorted(set(others) - known)
    if unknown:
        raise ModelError(
            f"`{unknown[0]:.80}` has no place in a network of an embedding, recurrent layers and a projection.",
            hint="recurra cannot import a network with other parts; without this tensor it would compute other values.",
        )


def _layer(name: str, recurrent: str) -> re.Match[str] | None:
    """Match the name of a tensor in a recurrent layer; None for other tensors, such as those of a second direction."""
    return LAYER.fullmatch(name.removeprefix(recurrent)) if name.startswith(recurrent) else None


def _dotted(module: str) -> str:
    return f"{module}." if module else ""


def _listed(names: Mapping[str, Any] | list[str]) -> str:
    quoted = [f"`{name:.80}`" for name in names][:8]
    return ", ".join(quoted) + (f" and {len(names) - 8:,} more" if len(names) > 8 else "") if quoted else "none"
