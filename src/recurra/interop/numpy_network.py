"""Read the network in an .npz file of NumPy: U, W, V, b and c of DD2424 assignment 4, or PyTorch's state_dict."""

from __future__ import annotations

from pathlib import Path

from recurra.errors import ModelError, UsageError
from recurra.interop import file_kinds, numpy_file, vanilla_network, vocabulary_arrays
from recurra.interop.format_entry import FileFormat, Imported, Options
from recurra.interop.torch_names import Names
from recurra.interop.torch_state import Network, from_state


def read(path: Path, options: Options) -> Imported:
    """Return the network and the characters in an .npz file."""
    arrays, skipped = numpy_file.read(path)
    symbols, name = vocabulary_arrays.symbols_in(arrays), f"{path}"
    activation = options.activation or "tanh"
    if scheme := vanilla_network.scheme_of(arrays):
        if options.names != Names():
            raise UsageError(
                "names of modules describe a state_dict; this file has a network of DD2424 assignment 4.",
                hint="leave out `--recurrent`, `--projection` and `--embedding`.",
            )
        config, parameters = vanilla_network.network(arrays, scheme, name, activation=activation, rows=True)
        return Imported(Network(config, parameters), symbols)
    numbers = {name: array for name, array in arrays.items() if array.dtype.kind == "f"}
    if any("weight_hh" in name for name in numbers):
        return Imported(from_state(numbers, options.names, activation), symbols)
    listed = ", ".join(f"`{name:.40}`" for name in list(arrays)[:10]) or "no arrays of numbers or strings"
    objects = "; recurra does not read: " + ", ".join(f"`{name:.40}`" for name in skipped[:5]) if skipped else ""
    raise ModelError(
        f"`{path}` has no network: it has {listed}{objects}.",
        hint="save the network as `numpy.savez(FILE, U=U, W=W, V=V, b=b, c=c)`, or as Wxh, Whh, Why, bh and by.",
    )


ENTRY = FileFormat("numpy", kind=file_kinds.NPZ, read=read)
