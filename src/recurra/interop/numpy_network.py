"""Read the network in an .npz file of NumPy: U, W, V, b and c of DD2424 assignment 4, or PyTorch's state_dict."""

from __future__ import annotations

from pathlib import Path

from recurra.errors import ModelError, UsageError
from recurra.interop import file_kinds, numpy_file, vanilla_network, vocabulary_arrays
from recurra.interop.format_entry import FileFormat, Imported, Options
from recurra.interop.torch_names import Names
from recurra.interop.torch_state import Network, from_state


def read(path: Path, options: Options) -> Imported:
    """The network in an .npz file, and the characters that lie beside it."""
    arrays, left_out = numpy_file.read(path)
    symbols, name = vocabulary_arrays.symbols_in(arrays), f"{path}"
    activation = options.activation or "tanh"
    if scheme := vanilla_network.scheme_of(arrays):
        if options.names != Names():
            raise UsageError("names of modules are for a state_dict; this file has a network of DD2424 assignment 4.")
        config, parameters = vanilla_network.network(arrays, scheme, name, activation=activation, rows=True)
        return Imported(Network(config, parameters), symbols)
    numbers = {name: array for name, array in arrays.items() if array.dtype.kind == "f"}
    if any("weight_hh" in name for name in numbers):
        return Imported(from_state(numbers, options.names, activation), symbols)
    there = ", ".join(f"`{name:.40}`" for name in list(arrays)[:10]) or "no array that is read"
    objects = "; left out unread: " + ", ".join(f"`{name:.40}`" for name in left_out[:5]) if left_out else ""
    raise ModelError(
        f"`{path}` has no network: it has {there}{objects}.",
        hint="save it as `numpy.savez(FILE, U=U, W=W, V=V, b=b, c=c)`, or as Wxh, Whh, Why, bh and by.",
    )


ENTRY = FileFormat("numpy", kind=file_kinds.NPZ, read=read)
