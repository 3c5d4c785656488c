"""One elman layer as the struct RNN with U, W, V, b and c in a MAT-file, out and in.

    a_t = W h_{t-1} + U x_t + b      h_t = tanh(a_t)      o_t = V h_t + c

U (m, K), W (m, m), V (K, m), b (m, 1) and c (K, 1) are float64, which holds a float32 exactly. Beside the struct lie
code_points (K, 1), the character of each id, counted from 1 there; is_bytes, 1 where they are bytes; documents, 1 where
h is zero before each newline; and, where all are ASCII, book_chars (1, K), as DD2424 assignment 4 calls them.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from recurra.config import ModelConfig
from recurra.errors import ModelError, UsageError
from recurra.interop import file_kinds, files, mat_file, matlab_script, vanilla_network
from recurra.interop.format_entry import FileFormat, Imported, Options
from recurra.interop.symbols import Symbols
from recurra.interop.torch_names import Names
from recurra.interop.torch_state import Network
from recurra.interop.vanilla_network import Scheme
from recurra.network.cells import CELLS, cell_of
from recurra.system import optional_dependencies
from recurra.text.vocabulary import code_points

if TYPE_CHECKING:
    from pathlib import Path

    from recurra.interop.origin import Origin
    from recurra.model import LanguageModel

Array = npt.NDArray[Any]
FIELDS = {"U": "layers.0.U", "W": "layers.0.W", "V": "V", "b": "layers.0.b", "c": "c"}
STRUCT = "RNN"


def update_line(config: ModelConfig) -> str:
    """Return the line of MATLAB that computes h. Raises UsageError unless the struct can hold the network."""
    spec = cell_of(config)
    if spec.matlab is None or (config.activation, config.layers) != (spec.activations[0], 1):
        names = " or ".join(one.name for one in CELLS.values() if one.matlab is not None)
        units = f"{config.cell} ({config.activation}), {config.layers} layers"
        others = "`--format torch`, `onnx` and `folder` take every network of this cell."
        alone = "no format takes this cell; train another one: `recurra train --cell elman --layers 1`."
        hint = others if spec.torch and spec.onnx else alone
        raise UsageError(f"the struct RNN is an {names} network of one layer with tanh; got {units}.", hint=hint)
    return spec.matlab


def targets(path: Path) -> list[Path]:
    """The MAT-file and the function that lies beside it. Raises UsageError unless the name of `path` ends in .mat."""
    if path.suffix != ".mat":
        raise UsageError(f"a MAT-file's name ends in .mat; got `{path.name}`.", hint="MATLAB takes others for text.")
    return [path, path.with_name(f"{matlab_script.function_name(path.stem)}.m")]


def contents(origin: Origin, path: Path) -> dict[Path, bytes]:
    """The bytes of both `targets`."""
    mat, function = targets(path)
    text = matlab_script.script(path.name, update_line(origin.model.config))
    return {mat: to_bytes(origin.model), function: text}


def read(path: Path, options: Options) -> Imported:
    """The network in the struct RNN of a MAT-file, and the characters that lie beside it."""
    found = from_bytes(files.read(path, mat_file.MAX_BYTES), f"{path}")
    if options.names != Names() or options.activation not in (None, "tanh"):
        raise UsageError(
            "names of modules and an activation are for a state_dict; a MAT-file has a network of DD2424 assignment 4."
        )
    return Imported(Network(found.config, found.parameters), found.symbols, found.documents)


def to_bytes(model: LanguageModel) -> bytes:
    """The MAT-file. UsageError for a network that the struct cannot be, or where the package scipy is missing."""
    update_line(model.config)
    optional_dependencies.require("matlab", "`--format matlab`")
    from scipy.io import savemat

    file = io.BytesIO()
    savemat(file, _variables(model), format="5", do_compression=False, oned_as="column")
    return mat_file.without_date(file.getvalue())


def _variables(model: LanguageModel) -> dict[str, Any]:
    network = {field: model.parameters[name].astype(np.float64) for field, name in FIELDS.items()}
    vocabulary = model.vocabulary
    found: dict[str, Any] = {
        STRUCT: network,
        "code_points": vocabulary.code_points.astype(np.float64),
        "is_bytes": float(vocabulary.is_bytes),
        "documents": float(model.documents == "lines"),
    }
    if vocabulary.symbols.isascii():
        found["book_chars"] = vocabulary.symbols
    return found


class MatModel(NamedTuple):
    """A network and what else a MAT-file has of a model; None for symbols that it does not tell."""

    config: ModelConfig
    parameters: dict[str, Array]
    symbols: Symbols | None
    documents: str | None


def from_bytes(data: bytes, name: str) -> MatModel:
    """The model in a MAT-file, rounded to float32.

    Raises ModelError where there is no such struct, or a field has another shape.
    """
    found = mat_file.variables(data, name)
    fields, scheme = _struct(found, name)
    config, parameters = vanilla_network.network(fields, scheme, name)
    return MatModel(config, parameters, _symbols(found), "lines" if _flag(found, "documents") else None)


def _struct(found: Mapping[str, Any], name: str) -> tuple[Mapping[str, Any], Scheme]:
    """The struct RNN, or the only one that has the fields of a network, or the variables themselves."""
    structs = {key: value for key, value in found.items() if isinstance(value, dict)}
    fitting = {key: scheme for key, value in structs.items() if (scheme := vanilla_network.scheme_of(value))}
    if STRUCT in fitting or len(fitting) == 1:
        chosen = STRUCT if STRUCT in fitting else next(iter(fitting))
        return structs[chosen], fitting[chosen]
    if fitting:
        raise ModelError(f"`{name}` has several networks: {', '.join(fitting)}.", hint="save one of them as `RNN`.")
    if scheme := vanilla_network.scheme_of(found):
        return found, scheme
    there = ", ".join(f"`{key:.40}`" for key in list(found)[:10]) or "nothing that is read"
    raise ModelError(f"`{name}` has no struct with the fields U, W, V, b and c; it has {there}.")


def _flag(found: Mapping[str, Any], name: str) -> bool:
    value = found.get(name)
    return isinstance(value, np.ndarray) and bool(value.any())


def _symbols(found: Mapping[str, Any]) -> Symbols | None:
    """Those of code_points or of book_chars; None without any."""
    points, characters = found.get("code_points"), found.get("book_chars")
    if isinstance(points, np.ndarray):
        whole = points.ravel().astype(np.float64)
        if not np.array_equal(whole, np.clip(np.round(whole), 0, 2**31)):
            raise ModelError("`code_points` are not the numbers of characters.")
        return Symbols(whole.astype(np.int64), _flag(found, "is_bytes"))
    return Symbols(code_points(characters).astype(np.int64)) if isinstance(characters, str) else None


ENTRY = FileFormat("matlab", ".mat", targets, contents, file_kinds.MAT, read)
