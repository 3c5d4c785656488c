"""One elman layer with tanh from the arrays U, W, V, b and c of a file, transposed if necessary.

    a_t = W h_{t-1} + U x_t + b      h_t = tanh(a_t)      o_t = V h_t + c

U is (m, K), W (m, m), V (K, m), b (m,) and c (K,). A program with row vectors, h W + x U, has the transposed matrices.
The shapes show whether the matrices of a file are transposed, unless m = K.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from recurra.config import ModelConfig
from recurra.errors import ModelError, UsageError

Array = npt.NDArray[Any]
MAX_WEIGHTS = 1 << 24  # in a file; a one-byte number of the file becomes a float32 of four bytes


class Scheme(NamedTuple):
    """The names that a program gives to U, W, V, b and c."""

    U: str
    W: str
    V: str
    b: str
    c: str


DD2424 = Scheme("U", "W", "V", "b", "c")
SCHEMES = (
    DD2424,
    Scheme("Wxh", "Whh", "Why", "bh", "by"),  # min-char-rnn
    Scheme("W_xh", "W_hh", "W_hy", "b_h", "b_y"),
    Scheme("W_xh", "W_hh", "W_hq", "b_h", "b_q"),
    Scheme("Wax", "Waa", "Wya", "ba", "by"),
    Scheme("Wih", "Whh", "Who", "bh", "bo"),
    Scheme("W_ih", "W_hh", "W_ho", "b_h", "b_o"),
    Scheme("arr_0", "arr_1", "arr_2", "arr_3", "arr_4"),  # np.savez(file, Wxh, Whh, Why, bh, by)
)


def scheme_of(names: Mapping[str, Any]) -> Scheme | None:
    """Return the scheme whose five names are all in `names`; None if no scheme fits."""
    return next((scheme for scheme in SCHEMES if set(scheme) <= set(names)), None)


class Arrays(NamedTuple):
    """The five arrays."""

    U: Array
    W: Array
    V: Array
    b: Array
    c: Array


def network(
    fields: Mapping[str, Any], scheme: Scheme, name: str, *, activation: str = "tanh", rows: bool = False
) -> tuple[ModelConfig, dict[str, Array]]:
    """Return the settings and the parameters, rounded to float32, of a network.

    Args:
        fields: the arrays of the file by name.
        scheme: names of U, W, V, b and c in the file.
        name: name of the file for errors.
        activation: activation of the layer.
        rows: True if the program may use row vectors; transpose the matrices if their shapes show it.
    Raises: ModelError if an array is missing or has a wrong shape.
    """
    arrays = arrays_of(fields, scheme, name, rows=rows)
    parameters = {"layers.0.U": arrays.U, "layers.0.W": arrays.W, "layers.0.b": arrays.b, "V": arrays.V, "c": arrays.c}
    try:
        config = ModelConfig(hidden_size=len(arrays.W), activation=activation)
    except UsageError as error:
        raise ModelError(error.message) from error
    with np.errstate(over="ignore"):  # LanguageModel rejects infinity
        return config, {key: np.asarray(array, np.float32) for key, array in parameters.items()}


def arrays_of(fields: Mapping[str, Any], scheme: Scheme, name: str, *, rows: bool = False) -> Arrays:
    """Return the five arrays in the precision of the file: U (m, K), W (m, m), V (K, m), b (m,) and c (K,).

    If `rows` is True, the program may use row vectors. Raises ModelError if a shape does not fit.
    """
    arrays = Arrays._make(_numbers(fields[field], field, name) for field in scheme)
    m, K = len(arrays.W), arrays.c.size
    if m * (m + 2 * K) > MAX_WEIGHTS:
        raise ModelError(f"the network in `{name}`, m = {m} and K = {K}, has more than {MAX_WEIGHTS:,} parameters.")
    if rows and _has_rows(arrays, scheme, name):
        arrays = arrays._replace(U=arrays.U.T, W=arrays.W.T, V=arrays.V.T)
    for field, array, shape in zip(scheme, arrays, ((m, K), (m, m), (K, m), (m, 1), (K, 1)), strict=True):
        _require_shape(field, array, shape, scheme, name, m, K)
    return arrays._replace(b=arrays.b.ravel(), c=arrays.c.ravel())


def _numbers(value: Any, field: str, name: str) -> Array:
    if not isinstance(value, np.ndarray) or value.ndim not in (1, 2) or not value.size or value.dtype.kind not in "fiu":
        raise ModelError(f"`{field}` in `{name}` is not a matrix of numbers.")
    return value


def _has_rows(arrays: Arrays, scheme: Scheme, name: str) -> bool:
    """Return True if the shapes of the matrices or of the biases show that the program uses row vectors."""
    m, K = len(arrays.W), arrays.c.size
    if m != K:
        return arrays.U.shape == (K, m) and arrays.V.shape == (m, K)
    biases = {arrays.b.shape, arrays.c.shape}
    if biases == {(m,)}:
        warnings.warn(
            f"the matrices in `{name}` are square, so that their shapes do not show the order of multiplication: "
            f"recurra takes {scheme.W} h + {scheme.U} x + {scheme.b}, not h {scheme.W} + x {scheme.U} + {scheme.b}.",
            stacklevel=7,
        )
    return biases == {(1, m)} and m > 1


def _require_shape(field: str, array: Array, shape: tuple[int, int], scheme: Scheme, name: str, m: int, K: int) -> None:
    """Raise ModelError unless `array` has the shape; a column vector may also be a row or have one dimension."""
    rows, columns = shape
    if array.shape == shape or (columns == 1 and array.shape in ((1, rows), (rows,))):
        return
    transposed = f"; `{field}` may be transposed." if array.shape == (columns, rows) else "."
    raise ModelError(
        f"`{field}` in `{name}` must be {rows} x {columns}, since {scheme.W} is m x m with m = {m} and {scheme.c} "
        f"K x 1 with K = {K}; got {' x '.join(map(str, array.shape))}{transposed}",
        hint=f"save {scheme.U} as m x K, {scheme.W} as m x m, {scheme.V} as K x m, {scheme.b} as m x 1 and "
        f"{scheme.c} as K x 1, for m units and K characters.",
    )
