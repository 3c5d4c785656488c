"""Export and import of one elman layer as the struct RNN with U, W, V, b and c in a MAT-file.

    a_t = W h_{t-1} + U x_t + b      h_t = tanh(a_t)      o_t = V h_t + c

U (m, K), W (m, m), V (K, m), b (m, 1) and c (K, 1) are float64, which represents a float32 exactly. Further variables:

code_points   (K, 1), the character of each id; MATLAB counts ids from 1
is_bytes      1 if the symbols are bytes
documents     1 if h is zero before each newline
book_chars    (1, K), the name of DD2424 assignment 4 for the characters; only if all are ASCII
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
    """Return the line of MATLAB that computes h.

    Raises: UsageError if the struct cannot represent the network.
    """
    spec = cell_of(config)
    if spec.matlab is None or (config.activation, config.layers) != (spec.activations[0], 1):
        names = " or ".join(cell.name for cell in CELLS.values() if cell.matlab is not None)
        units = f"{config.cell} ({config.activation}), {config.layers} layers"
        other_format = "`--format torch`, `onnx` and `folder` support every network of this cell."
        other_cell = "no format supports this cell; train another network: `recurra train --cell elman --layers 1`."
        hint = other_format if spec.torch and spec.onnx else other_cell
        raise UsageError(f"`--format matlab` needs an {names} network of one layer with tanh; got {units}.", hint=hint)
    return spec.matlab


def targets(path: Path) -> list[Path]:
    """Return the paths of the MAT-file and of the function in the same folder.

    Raises: UsageError unless the name of `path` ends in .mat.
    """
    if path.suffix != ".mat":
        raise UsageError(
            f"a MAT-file's name must end in .mat; got `{path.name}`.",
            hint="MATLAB reads a file of another name as text; add .mat to the name after `-o`.",
        )
    return [path, path.with_name(f"{matlab_script.function_name(path.stem)}.m")]


def contents(origin: Origin, path: Path) -> dict[Path, bytes]:
    """Return the bytes of both `targets`."""
    mat, function = targets(path)
    text = matlab_script.script(path.name, update_line(origin.model.config))
    return {mat: to_bytes(origin.model), function: text}


def read(path: Path, options: Options) -> Imported:
    """Return the network and the characters in a MAT-file."""
    model = from_bytes(files.read(path, mat_file.MAX_BYTES), f"{path}")
    if options.names != Names() or options.activation not in (None, "tanh"):
        raise UsageError(
            "names of modules and an activation describe a state_dict; "
            "a MAT-file has a network of DD2424 assignment 4.",
            hint=f"leave out these options: `recurra import {file_kinds.argument(path)}`.",
        )
    return Imported(Network(model.config, model.parameters), model.symbols, model.documents)


def to_bytes(model: LanguageModel) -> bytes:
    """Return the bytes of the MAT-file.

    Raises: UsageError if the struct cannot represent the network, or the package scipy is missing.
    """
    update_line(model.config)
    optional_dependencies.require("matlab", "`--format matlab`")
    from scipy.io import savemat

    file = io.BytesIO()
    savemat(file, _variables(model), format="5", do_compression=False, oned_as="column")
    return mat_file.without_date(file.getvalue())


def _variables(model: LanguageModel) -> dict[str, Any]:
    network = {field: model.parameters[name].astype(np.float64) for field, name in FIELDS.items()}
    vocabulary = model.vocabulary
    variables: dict[str, Any] = {
        STRUCT: network,
        "code_points": vocabulary.code_points.astype(np.float64),
        "is_bytes": float(vocabulary.is_bytes),
        "documents": float(model.documents == "lines"),
    }
    if vocabulary.symbols.isascii():
        variables["book_chars"] = vocabulary.symbols
    return variables


class MatModel(NamedTuple):
    """The content of a MAT-file: a network, its characters or None, and its treatment of documents."""

    config: ModelConfig
    parameters: dict[str, Array]
    symbols: Symbols | None
    documents: str | None


def from_bytes(data: bytes, name: str) -> MatModel:
    """Return the model in a MAT-file, rounded to float32.

    Raises: ModelError if the file has no network, or a field has another shape.
    """
    variables = mat_file.variables(data, name)
    fields, scheme = _struct(variables, name)
    config, parameters = vanilla_network.network(fields, scheme, name)
    return MatModel(config, parameters, _symbols(variables), "lines" if _flag(variables, "documents") else None)


def _struct(variables: Mapping[str, Any], name: str) -> tuple[Mapping[str, Any], Scheme]:
    """Return the fields of the network: the struct RNN, else the only struct with a network, else the variables."""
    structs = {key: value for key, value in variables.items() if isinstance(value, dict)}
    fitting = {key: scheme for key, value in structs.items() if (scheme := vanilla_network.scheme_of(value))}
    if STRUCT in fitting or len(fitting) == 1:
        chosen = STRUCT if STRUCT in fitting else next(iter(fitting))
        return structs[chosen], fitting[chosen]
    if fitting:
        raise ModelError(f"`{name}` has several networks: {', '.join(fitting)}.", hint="save one of them as `RNN`.")
    if scheme := vanilla_network.scheme_of(variables):
        return variables, scheme
    listed = ", ".join(f"`{key:.40}`" for key in list(variables)[:10]) or "no numbers, characters or structs"
    raise ModelError(
        f"`{name}` has no struct with the fields U, W, V, b and c; it has {listed}.",
        hint="save the struct in MATLAB: `save('-v7', 'RNN.mat', 'RNN')`.",
    )


def _flag(variables: Mapping[str, Any], name: str) -> bool:
    value = variables.get(name)
    return isinstance(value, np.ndarray) and bool(value.any())


def _symbols(variables: Mapping[str, Any]) -> Symbols | None:
    """Return the symbols from code_points or book_chars; None if the file has neither."""
    points, characters = variables.get("code_points"), variables.get("book_chars")
    if isinstance(points, np.ndarray):
        flat = points.ravel().astype(np.float64)
        if not np.array_equal(flat, np.clip(np.round(flat), 0, 2**31)):
            raise ModelError("`code_points` must be whole numbers: the Unicode code point of each id.")
        return Symbols(flat.astype(np.int64), _flag(variables, "is_bytes"))
    return Symbols(code_points(characters).astype(np.int64)) if isinstance(characters, str) else None


ENTRY = FileFormat("matlab", ".mat", targets, contents, file_kinds.MAT, read)
