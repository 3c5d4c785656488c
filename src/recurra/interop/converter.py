"""Scripts that convert a file to a format that recurra reads; the user runs them with the other program's packages.

`recurra import FILE --converter` prints a script with the names of the files in it; recurra itself never runs a script.
Since a pickle can run code, a script unpickles arbitrary objects only with `--trust`.
"""

from __future__ import annotations

from pathlib import Path

from recurra.errors import UsageError
from recurra.interop import file_kinds
from recurra.interop.vocabulary_json import KEYS

HEAD = '''\
"""Convert {file} for recurra; run this script {where}.

    python convert.py{trust}
    recurra import {written}
"""

import sys
from pathlib import Path

FILE = {path!r}
WRITTEN = {output!r}

if Path(WRITTEN).exists():
    sys.exit(f"{{WRITTEN}} already exists: remove or rename it.")

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
    """Replaces a class that cannot be imported here."""

    def __init__(self, *arguments, **named):
        super().__init__()


class Unpickler(pickle.Unpickler):
    def find_class(self, module, name):
        try:
            return super().find_class(module, name)
        except (ImportError, AttributeError):
            return type(name, (StandIn,), {{}})


def load():
    """Return the content of the file; anything but tensors, numbers and text needs --trust."""
    if zipfile.is_zipfile(FILE):
        with zipfile.ZipFile(FILE) as archive:
            if any(name.endswith("/constants.pkl") for name in archive.namelist()):
                return torch.jit.load(FILE, map_location="cpu")
    try:
        return torch.load(FILE, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        if "--trust" not in sys.argv:
            sys.exit(
                f"{{FILE}} has more than tensors, numbers and text: reading it runs code from the file.\\n"
                f"If you trust the file: python {{sys.argv[0]}} --trust"
            )
    lenient = types.ModuleType("lenient")
    lenient.Unpickler, lenient.load = Unpickler, pickle.load
    return torch.load(FILE, map_location="cpu", weights_only=False, pickle_module=lenient)


def is_module(value):
    return isinstance(value, torch.nn.Module) and "_parameters" in vars(value)


def members(value):
    """Yield the name and the value of each member of a dict or an object."""
    if isinstance(value, dict):
        yield from value.items()
    elif hasattr(value, "__dict__") and not isinstance(value, type):
        yield from vars(value).items()


def states(value, depth=0):
    """Yield each state_dict in the loaded value."""
    if is_module(value):
        value = value.state_dict()
    if depth > 6 or torch.is_tensor(value):
        return
    tensors = {{str(name): item for name, item in members(value) if torch.is_tensor(item)}}
    if tensors:
        yield tensors
    for _, item in members(value):
        yield from states(item, depth + 1)


def vocabularies(value, depth=0):
    """Yield the name and the value of each vocabulary that JSON can represent."""
    if depth > 6 or torch.is_tensor(value):
        return
    for name, item in members(value):
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


loaded = load()
state = max(states(loaded), key=rank, default=None)
if state is None:
    sys.exit(f"{{FILE}} has no named tensors, so that it has no state_dict.")
tensors = {{name: t.detach().float().clone().contiguous() for name, t in state.items() if t.is_floating_point()}}
vocabulary = dict(vocabularies(loaded))
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
arrays = {{}}
count = 0


def require(condition, layer, why):
    if not condition:
        sys.exit(f"`{{layer.name}}` ({{type(layer).__name__}}) cannot be imported: {{why}}.")


def in_pytorch_order(array, gates):
    """Change the gate order of a GRU from z, r, n to r, z, n; an LSTM has PyTorch's order already."""
    if gates != 3:
        return array
    z, r, n = np.split(array, 3, axis=-1)
    return np.concatenate([r, z, n], axis=-1)


def convert(layer):
    global count
    kind, config, weights = type(layer).__name__, layer.get_config(), layer.get_weights()
    if hasattr(layer, "get_vocabulary"):
        arrays["vocab"] = np.array(layer.get_vocabulary())
    elif kind == "TimeDistributed":
        convert(layer.layer)
    elif kind in RECURRENT:
        gates, end = RECURRENT[kind], f"l{{count}}"
        activation = config["activation"]
        usual = activation == "tanh" or (gates == 1 and activation == "relu")
        require(usual, layer, f"its activation is {{activation}}")
        require(config.get("recurrent_activation", "sigmoid") == "sigmoid", layer, "its gates are not sigmoids")
        require(config.get("reset_after", True), layer, "it was created with reset_after=False")
        require(not config.get("go_backwards"), layer, "it reads backwards")
        kernel, recurrent, *bias = (in_pytorch_order(array, gates) for array in weights)
        arrays[f"rnn.weight_ih_{{end}}"], arrays[f"rnn.weight_hh_{{end}}"] = kernel.T, recurrent.T
        if bias and bias[0].ndim == 2:
            arrays[f"rnn.bias_ih_{{end}}"], arrays[f"rnn.bias_hh_{{end}}"] = bias[0]
        elif bias:
            arrays[f"rnn.bias_ih_{{end}}"] = bias[0]
        count += 1
        if activation == "relu":
            print("import it with --activation relu")
    elif kind == "Embedding":
        require("embedding.weight" not in arrays, layer, "it is the second embedding")
        arrays["embedding.weight"] = weights[0]
    elif kind == "Dense":
        require("output.weight" not in arrays, layer, "it is the second dense layer")
        require(config["activation"] in ("linear", "softmax"), layer, f"its activation is {{config['activation']}}")
        arrays["output.weight"] = weights[0].T
        arrays.update({{"output.bias": weights[1]}} if len(weights) > 1 else {{}})
    elif hasattr(layer, "layers"):
        for inner in layer.layers:
            convert(inner)
    else:
        require(not weights, layer, "recurra has no such layer")


convert(keras.models.load_model(FILE, compile=False))
np.savez(WRITTEN, **arrays)
print(f"{{WRITTEN}}: {{', '.join(arrays)}}")
'''

PICKLE = '''\
import pickle

import numpy as np

NAMES = {names!r}.split()

if "--trust" not in sys.argv:
    sys.exit(
        f"{{FILE}} is a pickle: reading it runs code from the file.\\n"
        f"If you trust the file: python {{sys.argv[0]}} --trust"
    )
try:
    from joblib import load
except ImportError:

    def load(name):
        with open(name, "rb") as file:
            return pickle.load(file)


arrays = {{}}


def in_order(vocabulary):
    """Return the characters in the order of their ids; the ids are the values or the keys of a dict."""
    if not isinstance(vocabulary, dict):
        return list(vocabulary)
    if all(isinstance(key, (int, np.integer)) for key in vocabulary):
        return [vocabulary[key] for key in sorted(vocabulary)]
    return sorted(vocabulary, key=vocabulary.get)


def collect(value, name, depth=0):
    """Store each array under its name, and the first vocabulary."""
    if hasattr(value, "detach"):
        value = value.detach().cpu().numpy()
    if isinstance(value, np.ndarray) and value.dtype == object and value.ndim == 0:
        value = value.item()
    if name.lower() in NAMES and isinstance(value, (str, list, tuple, dict)):
        arrays.setdefault("vocab", np.array(in_order(value)))
    elif isinstance(value, np.ndarray) and value.dtype.kind in "fiu":
        arrays.setdefault(name, value)
    elif depth < 6 and isinstance(value, (list, tuple)):
        for number, item in enumerate(value):
            collect(item, f"arr_{{number}}", depth + 1)
    elif depth < 6:
        for inner, item in (value if isinstance(value, dict) else getattr(value, "__dict__", {{}})).items():
            collect(item, str(inner), depth + 1)


collect(np.load(FILE, allow_pickle=True) if FILE.endswith(".npy") else load(FILE), "")
np.savez(WRITTEN, **arrays)
print(f"{{WRITTEN}}: {{', '.join(arrays)}}")
'''

SCRIPTS = {file_kinds.PYTORCH: PYTORCH, file_kinds.KERAS: KERAS, file_kinds.PICKLE: PICKLE}


def script(path: Path) -> str:
    """Return the script that converts a file or folder.

    Raises: UsageError if the file needs no conversion or no script converts it.
    """
    kind = file_kinds.refused_kind(path)
    if kind is None:
        command = f"recurra import {file_kinds.argument(path)}"
        raise UsageError(f"`{path}` needs no conversion.", hint=f"leave out `--converter`: `{command}`.")
    if kind.converter is None:
        raise UsageError(f"recurra has no script that converts `{path}`.", hint=file_kinds.hint_for(path, kind))
    written = file_kinds.converted_path(path, kind.converter)
    head = HEAD.format(
        file=_inside_docstring(path.name or f"{path}"),
        where=file_kinds.PACKAGES[kind.converter],
        written=_inside_docstring(file_kinds.argument(written)),
        trust=" --trust" if kind.converter == file_kinds.PICKLE else "",
        path=f"{path}",
        output=f"{written}",
    )
    return head + SCRIPTS[kind.converter].format(names=" ".join(sorted(KEYS)))


def _inside_docstring(name: str) -> str:
    """Escape quotes, backslashes and line ends, so that the name can be part of a docstring."""
    return ascii(name)[1:-1].replace('"', '\\"')
