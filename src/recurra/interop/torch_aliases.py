"""Rename the tensors of a state_dict to the names that `torch_names` reads; join tied and split modules.

DataParallel puts `module.` before a name, torch.compile `_orig_mod.`. `safetensors.torch.save_model` writes tied
tensors once and names the others in the metadata. A network of LSTMCell, GRUCell or RNNCell has `weight_ih` for
`weight_ih_l0`, and one of several modules or cells, `cells.0` and `cells.1`, has them as its layers.
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
    """The tensors, and those that the metadata name as another name of one."""
    tied = {name: tensors[kept] for name, kept in metadata.items() if kept in tensors and name not in tensors}
    return {**tensors, **tied}


def strip_wrapper_names(name: str) -> str:
    """A name without the parts that DataParallel and torch.compile put into it."""
    return ".".join(part for part in name.split(".") if part not in WRAPPERS)


def strip_wrappers(tensors: Mapping[str, Array]) -> dict[str, Array]:
    """The tensors by their unwrapped names, unless two of those are the same."""
    renamed = {strip_wrapper_names(name): array for name, array in tensors.items()}
    return renamed if len(renamed) == len(tensors) else dict(tensors)


def rename_layers(tensors: Mapping[str, Array], recurrent: str | None) -> dict[str, Array]:
    """The tensors with the names of nn.RNN, LSTM and GRU: a cell is one layer, and numbered modules are several.

    If the user names the module `recurrent`, it is taken alone.
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
    """The module, with its dot, of a tensor of a cell or of a first layer."""
    match = RECURRENT.fullmatch(name)
    return match["module"] if match and (not match["module"] or match["module"].endswith(".")) else None


def _layers(modules: set[str], recurrent: str | None) -> dict[str, tuple[str, int]]:
    """Module → the name of the whole, with its dot, and the number of the layer."""
    families: defaultdict[str, dict[int, str]] = defaultdict(dict)
    for module in modules:
        match = NUMBERED.fullmatch(module)
        if match and (recurrent is None or recurrent == match["base"]):
            families[f"{match['base']}." if match["base"] else ""][int(match["number"])] = module
    numbered = {base: found for base, found in families.items() if len(found) > 1}
    layers = {module: (module, 0) for module in modules}
    for base, found in numbered.items():
        layers |= {module: (base, layer) for layer, (_, module) in enumerate(sorted(found.items()))}
    return layers
