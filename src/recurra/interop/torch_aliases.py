"""Rename the tensors of a state_dict to the names that `torch_names` reads; add tied tensors, join separate layers.

DataParallel puts `module.` before a name, torch.compile `_orig_mod.`. `safetensors.torch.save_model` writes tied
tensors once and lists their other names in the metadata. LSTMCell, GRUCell and RNNCell have `weight_ih` in place of
`weight_ih_l0`. A network of several modules or cells, `cells.0` and `cells.1`, has one layer in each.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import numpy.typing as npt

Array = npt.NDArray[Any]
WRAPPERS = ("module", "_orig_mod")
RECURRENT = re.compile(r"(?P<module>.*?)(?P<tensor>(?:weight|bias)_(?:ih|hh))(?:_l0)?")
DEEPER = re.compile(r"(.*?)(?:weight|bias)_(?:ih|hh)_l[1-9]\d*")
NUMBERED = re.compile(r"(?P<base>.*?)[._]?(?P<number>\d{1,4})\.")


def add_tied_tensors(tensors: Mapping[str, Array], metadata: Mapping[str, str]) -> dict[str, Array]:
    """Return the tensors, and the tied tensors whose names are in the metadata."""
    tied = {name: tensors[kept] for name, kept in metadata.items() if kept in tensors and name not in tensors}
    return {**tensors, **tied}


def strip_wrapper_names(name: str) -> str:
    """Return a name without the parts that DataParallel and torch.compile insert."""
    return ".".join(part for part in name.split(".") if part not in WRAPPERS)


def strip_wrappers(tensors: Mapping[str, Array]) -> dict[str, Array]:
    """Return the tensors by their names without wrappers; if two of these names are equal, return them unchanged."""
    renamed = {strip_wrapper_names(name): array for name, array in tensors.items()}
    return renamed if len(renamed) == len(tensors) else dict(tensors)


def rename_layers(tensors: Mapping[str, Array], recurrent: str | None) -> dict[str, Array]:
    """Rename tensors to the names in nn.RNN, LSTM and GRU: a cell becomes one layer, numbered modules become several.

    If the user gives the name `recurrent`, join only the numbered modules of this name.
    """
    modules = {module for name in tensors if (module := _module(name)) is not None}
    layers = _layers(modules - {deep[1] for name in tensors if (deep := DEEPER.fullmatch(name))}, recurrent)
    renamed = {}
    for name, array in tensors.items():
        match, module = RECURRENT.fullmatch(name), _module(name)
        if match and module in layers:
            base, number = layers[module]
            renamed[f"{base}{match['tensor']}_l{number}"] = array
        else:
            renamed[name] = array
    return renamed if len(renamed) == len(tensors) else dict(tensors)


def _module(name: str) -> str | None:
    """Return the module name, with its dot, of a tensor in a cell or in a first layer; None for other tensors."""
    match = RECURRENT.fullmatch(name)
    return match["module"] if match and (not match["module"] or match["module"].endswith(".")) else None


def _layers(modules: set[str], recurrent: str | None) -> dict[str, tuple[str, int]]:
    """Return for each module the name of the joined network, with its dot, and the number of its layer."""
    families: defaultdict[str, dict[int, str]] = defaultdict(dict)
    for module in modules:
        match = NUMBERED.fullmatch(module)
        if match and (recurrent is None or recurrent == match["base"]):
            families[f"{match['base']}." if match["base"] else ""][int(match["number"])] = module
    layers = {module: (module, 0) for module in modules}
    for base, family in families.items():
        if len(family) > 1:
            layers |= {module: (base, layer) for layer, (_, module) in enumerate(sorted(family.items()))}
    return layers
