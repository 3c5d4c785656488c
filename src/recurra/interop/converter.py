"""Scripts that convert a file which is not read, to be run where the other program is installed.

`recurra import FILE --converter` prints one with the names of the files in it. A pickle runs code, so that a script
unpickles all of one only with `--trust`; no script is ever run here.
"""

from __future__ import annotations

from pathlib import Path

from recurra.errors import UsageError
from recurra.interop import file_kinds
from recurra.interop.vocabulary_json import KEYS

HEAD = '''\
"""Convert {file} for recurra, {where}.

    python convert.py{trust}
    recurra import {written}
"""

import sys
from pathlib import Path

FILE = {path!r}
WRITTEN = {output!r}

if Path(WRITTEN).exists():
    sys.exit(f"{{WRITTEN}} is there already: remove it, or give it another name.")

'''

PYTORCH = '''\
import json
import pickle
import types
import zipfile

import torch
from safetensors.torch import save_file

NAMES = {names!r}.split()


class StandIn(torch.nn.Module):
    """Take the place of a class that cannot be imported here."""

    def __init__(self, *arguments, **named):
        super().__init__()


class Unpickler(pickle.Unpickler):
    def find_class(self, module, name):
        try:
            return super().find_class(module, name)
        except (ImportError, AttributeError):
            return type(name, (StandIn,), {{}})


def load():
    """Return what the file holds; anything but tensors, numbers and text needs --trust."""
    if zipfile.is_zipfile(FILE):
        with zipfile.ZipFile(FILE) as archive:
            if any(name.endswith("/constants.pkl") for name in archive.namelist()):
                return torch.jit.load(FILE, map_location="cpu")
    try:
        return torch.load(FILE, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        if "--trust" not in sys.argv:
            sys.exit(
                f"{{FILE}} holds more than tensors, numbers and text: reading it runs code of whoever wrote it.\\n"
                f"If you trust them: python {{sys.argv[0]}} --trust"
            )
    lenient = types.ModuleType("lenient")
    lenient.Unpickler, lenient.load = Unpickler, pickle.load
    return torch.load(FILE, map_location="cpu", weights_only=False, pickle_module=lenient)


def is_module(found):
    return isinstance(found, torch.nn.Module) and "_parameters" in vars(found)


def inside(found):
    """Yield what a dict or an object holds by name."""
    if isinstance(found, dict):
        yield from found.items()
    elif hasattr(found, "__dict__") and not isinstance(found, type):
        yield from vars(found).items()


def states(found, depth=0):
    """Yield each state_dict in what was loaded."""
    if is_module(found):
        found = found.state_dict()
    if depth > 6 or torch.is_tensor(found):
        return
    tensors = {{str(name): item for name, item in inside(found) if torch.is_tensor(item)}}
    if tensors:
        yield tensors
    for _, item in inside(found):
        yield from states(item, depth + 1)


def vocabularies(found, depth=0):
    """Yield each vocabulary, by its name, that JSON can hold."""
    if depth > 6 or torch.is_tensor(found):
        return
    for name, item in inside(found):
        if str(name).lower() in NAMES and isinstance(item, (str, list, tuple, dict)):
            try:
                json.dumps(item)
            except (TypeError, ValueError):
                continue
            yield str(name), item
        else:
            yield from vocabularies(item, depth + 1)


def rank(tensors):
    return any("weight_hh" in name for name in tensors), sum(tensor.numel() for tensor in tensors.values())


found = load()
state = max(states(found), key=rank, default=None)
if state is None:
    sys.exit(f"{{FILE}} holds no tensors by name.")
tensors = {{name: t.detach().float().clone().contiguous() for name, t in state.items() if t.is_floating_point()}}
vocabulary = dict(vocabularies(found))
metadata = {{"format": "pt"}} | ({{"vocabulary": json.dumps(vocabulary)}} if vocabulary else {{}})
save_file(tensors, WRITTEN, metadata=metadata)
print(f"{{WRITTEN}}: {{', '.join(tensors)}}")
print("with the vocabulary" if vocabulary else "without a vocabulary: import it with --vocabulary or --text")
'''

KERAS = '''\
import numpy as np

try:
    import keras
except ImportError:
    from tensorflow import keras

RECURRENT = {{"SimpleRNN": 1, "GRU": 3, "LSTM": 4}}
found = {{}}
count = 0


def require(condition, layer, why):
    if not condition:
        sys.exit(f"`{{layer.name}}` ({{type(layer).__name__}}) cannot be imported: {{why}}.")


def in_our_order(array, gates):
    """Return the gates z, r and n of a GRU as r, z and n; an LSTM has i, f, g and o already."""
    if gates != 3:
        return array
    z, r, n = np.split(array, 3, axis=-1)
    return np.concatenate([r, z, n], axis=-1)


def convert(layer):
    global count
    kind, config, weights = type(layer).__name__, layer.get_config(), layer.get_weights()
    if hasattr(layer, "get_vocabulary"):
        found["vocab"] = np.array(layer.get_vocabulary())
    elif kind == "TimeDistributed":
        convert(layer.layer)
    elif kind in RECURRENT:
        gates, end = RECURRENT[kind], f"l{{count}}"
        activation = config["activation"]
        usual = activation == "tanh" or (gates == 1 and activation == "relu")
        require(usual, layer, f"its activation is {{activation}}")
        require(config.get("recurrent_activation", "sigmoid") == "sigmoid", layer, "its gates are no sigmoids")
        require(config.get("reset_after", True), layer, "it was made with reset_after=False")
        require(not config.get("go_backwards"), layer, "it reads backwards")
        kernel, recurrent, *bias = (in_our_order(array, gates) for array in weights)
        found[f"rnn.weight_ih_{{end}}"], found[f"rnn.weight_hh_{{end}}"] = kernel.T, recurrent.T
        if bias and bias[0].ndim == 2:
            found[f"rnn.bias_ih_{{end}}"], found[f"rnn.bias_hh_{{end}}"] = bias[0]
        elif bias:
            found[f"rnn.bias_ih_{{end}}"] = bias[0]
        count += 1
        if activation == "relu":
            print("import it with --activation relu")
    elif kind == "Embedding":
        require("embedding.weight" not in found, layer, "it is the second one")
        found["embedding.weight"] = weights[0]
    elif kind == "Dense":
        require("output.weight" not in found, layer, "it is the second one")
        require(config["activation"] in ("linear", "softmax"), layer, f"its activation is {{config['activation']}}")
        found["output.weight"] = weights[0].T
        found.update({{"output.bias": weights[1]}} if len(weights) > 1 else {{}})
    elif hasattr(layer, "layers"):
        for inner in layer.layers:
            convert(inner)
    else:
        require(not weights, layer, "it would be another network")


convert(keras.models.load_model(FILE, compile=False))
np.savez(WRITTEN, **found)
print(f"{{WRITTEN}}: {{', '.join(found)}}")
'''

PICKLE = '''\
import pickle

import numpy as np

NAMES = {names!r}.split()

if "--trust" not in sys.argv:
    sys.exit(
        f"{{FILE}} is a pickle: reading it runs code of whoever wrote it.\\n"
        f"If you trust them: python {{sys.argv[0]}} --trust"
    )
try:
    from joblib import load
except ImportError:

    def load(name):
        with open(name, "rb") as file:
            return pickle.load(file)


found = {{}}


def in_order(vocabulary):
    """Return the characters in the order of their ids, which are its values or its keys."""
    if not isinstance(vocabulary, dict):
        return list(vocabulary)
    if all(isinstance(key, (int, np.integer)) for key in vocabulary):
        return [vocabulary[key] for key in sorted(vocabulary)]
    return sorted(vocabulary, key=vocabulary.get)


def collect(value, name, depth=0):
    """Keep the arrays by name, and the first vocabulary."""
    if hasattr(value, "detach"):
        value = value.detach().cpu().numpy()
    if isinstance(value, np.ndarray) and value.dtype == object and value.ndim == 0:
        value = value.item()
    if name.lower() in NAMES and isinstance(value, (str, list, tuple, dict)):
        found.setdefault("vocab", np.array(in_order(value)))
    elif isinstance(value, np.ndarray) and value.dtype.kind in "fiu":
        found.setdefault(name, value)
    elif depth < 6 and isinstance(value, (list, tuple)):
        for number, item in enumerate(value):
            collect(item, f"arr_{{number}}", depth + 1)
    elif depth < 6:
        for inner, item in (value if isinstance(value, dict) else getattr(value, "__dict__", {{}})).items():
            collect(item, str(inner), depth + 1)


collect(np.load(FILE, allow_pickle=True) if FILE.endswith(".npy") else load(FILE), "")
np.savez(WRITTEN, **found)
print(f"{{WRITTEN}}: {{', '.join(found)}}")
'''

SCRIPTS = {file_kinds.PYTORCH: PYTORCH, file_kinds.KERAS: KERAS, file_kinds.PICKLE: PICKLE}


def script(path: Path) -> str:
    """The script that converts a file or folder. Raises UsageError if no script does."""
    kind = file_kinds.refused_kind(path)
    if kind is None or kind.converter is None:
        hint = "leave out `--converter`." if kind is None else file_kinds.hint_for(path, kind)
        raise UsageError(f"`{path}` needs no script, or none can convert it.", hint=hint)
    written = file_kinds.converted_path(path, kind.converter)
    head = HEAD.format(
        file=_inside_docstring(path.name or f"{path}"),
        where=file_kinds.WHERE[kind.converter],
        written=_inside_docstring(file_kinds.argument(written)),
        trust=" --trust" if kind.converter == file_kinds.PICKLE else "",
        path=f"{path}",
        output=f"{written}",
    )
    return head + SCRIPTS[kind.converter].format(names=" ".join(sorted(KEYS)))


def _inside_docstring(name: str) -> str:
    """A name that cannot end the docstring around it, nor a line of it."""
    return ascii(name)[1:-1].replace('"', '\\"')
