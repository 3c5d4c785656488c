"""Read and write a file with another program's gradients: .npz of NumPy, or a MAT-file of MATLAB and Octave.

The file holds one elman layer with tanh, a sequence, and the gradients of its loss:

    U (m, K)  W (m, m)  b (m,)  V (K, m)  c (K,)      in a struct `RNN` or alone; the names of min-char-rnn too
    h0 (m,)                                           the state before the sequence; zeros if there is none
    X (K, T), Y (K, T)                                one-hot columns, or rows (T, K); or `inputs` and `targets`, ids
    grads.U, dU, grad_U, U_grad, …                    the gradients

Ids count from 1 in a MAT-file and from 0 in an .npz file, unless a 0 (or K) shows the opposite. A file may be hostile:
sizes are checked before anything is computed.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from recurra.errors import ModelError, UsageError
from recurra.interop import file_kinds, files, mat_file, numpy_file, vanilla_network
from recurra.interop.vanilla_network import Scheme
from recurra.network.gradient_comparison import Problem
from recurra.network.network import one_hot
from recurra.network.parameters import Array
from recurra.system import optional_dependencies

STATES = ("h0", "h_0", "hprev", "h_prev")
INPUTS = ("X", "inputs", "x", "xs", "input")
TARGETS = ("Y", "targets", "y", "ys", "target")
LOSSES = ("loss", "L", "cost", "J")
GRADIENT_STRUCT = re.compile(r"(?i)(?:grads?|gradients?)")
GRADIENT_NAMES = ("{}", "d{}", "d_{}", "grad_{}", "grad{}", "dL_d{}", "dLd{}", "{}_grad")  # the first in a struct alone
MAX_NUMBERS = 1 << 22  # T · (m + K): numbers of the hidden states and of the one-hot vectors
NAMES_HINT = "name them `grads.U` or `dU`, and so on for W, b, V, c and h0."
EXAMPLE = "`recurra check --write example.npz` writes an example."


class GradientFile(NamedTuple):
    """The content of a file: the network and the sequence, the gradients by letter, and the loss or None."""

    problem: Problem
    gradients: dict[str, Array]
    loss: float | None


def read(path: Path) -> GradientFile:
    """Return the content of an .npz or a MAT-file. Raises ModelError or CheckpointError."""
    kind = file_kinds.kind_of(path)
    if kind not in (file_kinds.NPZ, file_kinds.MAT):
        raise ModelError(f"`{path}` is neither an .npz file nor a MAT-file.", hint=EXAMPLE)
    is_mat = kind == file_kinds.MAT
    arrays = (
        _flat(mat_file.variables(files.read(path, mat_file.MAX_BYTES), f"{path}"))
        if is_mat
        else numpy_file.read(path).arrays
    )
    gradients = {key: value for key, value in arrays.items() if _in_gradient_struct(key)}
    # `RNN.U` comes after `U` and replaces it below.
    keys = sorted(arrays.keys() - gradients.keys(), key=lambda key: (key.startswith("RNN."), key))
    others = {_leaf(key): arrays[key] for key in keys}
    scheme = vanilla_network.scheme_of(others)
    if scheme is None:
        names = ", ".join(f"`{key:.40}`" for key in list(arrays)[:12]) or "no readable array"
        raise ModelError(f"`{path}` has no network of U, W, V, b and c; it has {names}.", hint=EXAMPLE)
    problem, turned = _problem(others, scheme, f"{path}", is_mat=is_mat)
    named = {_leaf(key): value for key, value in gradients.items()}
    by_letter = _gradients(named, others, scheme, problem, f"{path}", turned=turned)
    return GradientFile(problem, by_letter, _loss(others))


def _flat(variables: Mapping[str, Any]) -> dict[str, Array]:
    """Return the arrays of MATLAB's variables by name; an array in a struct is named STRUCT.FIELD."""
    arrays: dict[str, Array] = {}
    for name, value in variables.items():
        if isinstance(value, dict):
            arrays |= {f"{name}.{key}": array for key, array in _flat(value).items()}
        elif isinstance(value, np.ndarray):
            arrays[name] = value
    return arrays


def _leaf(key: str) -> str:
    return key.rpartition(".")[2]


def _in_gradient_struct(key: str) -> bool:
    return any(GRADIENT_STRUCT.fullmatch(part) for part in key.split(".")[:-1])


def _problem(fields: Mapping[str, Array], scheme: Scheme, name: str, *, is_mat: bool) -> tuple[Problem, bool]:
    """Return the network and the sequence, and True if the program's vectors are rows."""
    arrays = vanilla_network.arrays_of(fields, scheme, name, rows=True)
    m, K = arrays.U.shape
    state = _first(fields, STATES)
    h0 = np.zeros(m) if state is None else state
    if h0.size != m:
        raise ModelError(f"`h0` in `{name}` has {h0.size:,} numbers; expected m = {m:,}.")
    sequence = {role: _first(fields, names) for role, names in (("inputs", INPUTS), ("targets", TARGETS))}
    for role, array in sequence.items():
        if array is None:
            expected = "`X`, one-hot, or `inputs`" if role == "inputs" else "`Y`, one-hot, or `targets`"
            raise ModelError(f"`{name}` has no {role}: expected {expected}.", hint=EXAMPLE)
    inputs, targets = (_ids(array, K, name) for array in sequence.values() if array is not None)
    inputs, targets = _from_zero(inputs, targets, sequence, K, is_mat=is_mat)
    if len(inputs) != len(targets) or not len(inputs):
        raise ModelError(f"`{name}` has {len(inputs):,} inputs and {len(targets):,} targets; expected equal numbers.")
    if len(inputs) * (m + K) > MAX_NUMBERS:
        raise ModelError(f"`{name}` has a sequence of {len(inputs):,} characters, which is too long to compare.")
    for role, ids in (("inputs", inputs), ("targets", targets)):
        if ids.min() < 0 or ids.max() >= K:
            raise ModelError(f"the {role} in `{name}` are not all ids of the {K:,} characters.")
    letters = {"U": arrays.U, "W": arrays.W, "b": arrays.b, "V": arrays.V, "c": arrays.c, "h0": h0.ravel()}
    precise = {letter: array.astype(np.float64) for letter, array in letters.items()}
    for letter, array in precise.items():
        if not np.isfinite(array).all():
            raise ModelError(f"`{letter}` in `{name}` has numbers that are not finite.")
    return Problem(precise, inputs, targets), arrays.W is not fields[scheme.W]


def _first(fields: Mapping[str, Array], names: tuple[str, ...]) -> Array | None:
    """Return the array of numbers under the first of `names` that has one; None if there is none."""
    return next((fields[name] for name in names if name in fields and fields[name].dtype.kind in "fiub"), None)


def _ids(array: Array, K: int, name: str) -> Array:
    """Return the ids in one-hot columns (K, T), one-hot rows (T, K) or a vector of ids; a vector keeps its count."""
    if is_one_hot(array, K):
        return np.asarray(array.argmax(axis=0))
    if array.ndim == 2 and is_one_hot(array.T, K):
        return np.asarray(array.argmax(axis=1))
    if array.ndim > 2 or array.size != max(array.shape, default=0):
        sides = " x ".join(map(str, array.shape))
        raise ModelError(
            f"a sequence in `{name}` is {sides}; expected one-hot columns, {K} x T, or a vector of ids.", hint=EXAMPLE
        )
    ids = array.ravel().astype(np.float64)
    if not np.array_equal(ids, np.clip(np.round(ids), 0, 2**31)):
        raise ModelError(f"a sequence in `{name}` has numbers that are not ids.", hint=EXAMPLE)
    return np.asarray(ids.astype(np.int64))


def is_one_hot(array: Array, K: int) -> bool:
    """Return True if each column has K numbers, one of them 1 and the others 0."""
    if array.ndim != 2 or array.shape[0] != K or K < 2:
        return False
    return bool(((array == 0) | (array == 1)).all() and (array.sum(axis=0) == 1).all())


def _from_zero(
    inputs: Array, targets: Array, given: Mapping[str, Array | None], K: int, *, is_mat: bool
) -> tuple[Array, Array]:
    """Return the ids, counted from 0. Subtract 1 from a vector of ids if the file counts them from 1."""
    vectors = [
        ids
        for ids, array in zip((inputs, targets), given.values(), strict=True)
        if array is not None and array.size == len(ids)
    ]
    if not vectors:
        return inputs, targets
    together = np.concatenate(vectors)
    from_one = together.min(initial=1) >= 1 and (is_mat or together.max(initial=0) == K)
    if not from_one:
        return inputs, targets
    changed = [ids - 1 if any(ids is vector for vector in vectors) else ids for ids in (inputs, targets)]
    return changed[0], changed[1]


def _gradients(
    named: Mapping[str, Array],
    others: Mapping[str, Array],
    scheme: Scheme,
    problem: Problem,
    name: str,
    *,
    turned: bool,
) -> dict[str, Array]:
    """Return the gradients that the file has, by letter, in the shapes of the arrays."""
    found: dict[str, Array] = {}
    for letter, array in problem.arrays.items():
        words = STATES if letter == "h0" else (getattr(scheme, letter), letter)
        inside = [pattern.format(word) for word in words for pattern in GRADIENT_NAMES]
        alone = [pattern.format(word) for word in words for pattern in GRADIENT_NAMES[1:]]
        gradient = _first(named, tuple(inside))
        if gradient is None:
            gradient = _first(others, tuple(alone))
        if gradient is not None:
            found[letter] = _in_shape(gradient, array.shape, letter, name, turned=turned)
    if not found:
        raise ModelError(f"`{name}` has no gradients.", hint=NAMES_HINT)
    return found


def _in_shape(gradient: Array, shape: tuple[int, ...], letter: str, name: str, *, turned: bool) -> Array:
    """Return a gradient in the shape of its array. Raises ModelError if the shapes do not fit."""
    gradient = gradient if gradient.dtype.kind == "f" else gradient.astype(np.float64)
    if len(shape) == 1 and gradient.size == shape[0] == max(gradient.shape, default=0):
        return gradient.ravel()
    if gradient.shape == (shape[::-1] if turned else shape):
        return gradient.T if turned else gradient
    sides, expected = (" x ".join(map(str, one)) for one in (gradient.shape, shape[::-1] if turned else shape))
    hint = "is it transposed?" if gradient.shape == shape[::-1] else "a gradient has the shape of its parameter."
    raise ModelError(
        f"the gradient of {letter} in `{name}` is {sides or 'one number'}; expected {expected}.", hint=hint
    )


def _loss(fields: Mapping[str, Array]) -> float | None:
    value = _first(fields, LOSSES)
    return float(value.ravel()[0]) if value is not None and value.size == 1 else None


def write(path: Path, problem: Problem, *, force: bool = False) -> Path:
    """Write a network and a sequence, without gradients, from which another program can compute gradients.

    Raises UsageError unless the name of `path` ends in .npz or .mat, or if the file exists and `force` is False.
    """
    if path.suffix not in (".npz", ".mat"):
        raise UsageError(f"the name of a gradient file ends in .npz or .mat; got `{path.name}`.", hint=EXAMPLE)
    files.require_absent([path], force=force)
    files.write({path: _mat_bytes(problem) if path.suffix == ".mat" else _npz_bytes(problem)})
    return path


def _sequence(problem: Problem, first: int) -> dict[str, Array]:
    """Return the sequence in both forms: one-hot columns, and ids that count from `first`."""
    K = len(problem.arrays["c"])
    X, Y = (one_hot(ids, K).T for ids in (problem.inputs, problem.targets))
    return {"X": X, "Y": Y, "inputs": problem.inputs + first, "targets": problem.targets + first}


def _npz_bytes(problem: Problem) -> bytes:
    data = io.BytesIO()
    arrays: dict[str, Any] = {**problem.arrays, **_sequence(problem, 0)}
    np.savez(data, **arrays)
    return data.getvalue()


def _mat_bytes(problem: Problem) -> bytes:
    optional_dependencies.require("matlab", "writing a MAT-file")
    from scipy.io import savemat

    network = {letter: array for letter, array in problem.arrays.items() if letter != "h0"}
    sequence = {name: array.astype(np.float64) for name, array in _sequence(problem, 1).items()}
    variables = {"RNN": network, "h0": problem.arrays["h0"], **sequence}
    data = io.BytesIO()
    savemat(data, variables, format="5", do_compression=False, oned_as="column")
    return mat_file.without_date(data.getvalue())
