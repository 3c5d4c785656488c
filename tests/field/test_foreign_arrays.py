"""Networks in .npz files, with the array names of DD2424, min-char-rnn or PyTorch, in either orientation."""

from __future__ import annotations

import io
import itertools
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import recurra
from recurra.errors import CheckpointError, ModelError, RecurraError, UsageError
from recurra.interop import numpy_file

Array = npt.NDArray[Any]
CHARACTERS = "o\nlh e"  # in the order of a set
K, H = len(CHARACTERS), 5
TEXT = "hello hole\n" * 3
DRAW = np.random.default_rng(3)
WEIGHTS: dict[str, Array] = {
    "U": DRAW.normal(0, 0.7, (H, K)), "W": DRAW.normal(0, 0.4, (H, H)), "V": DRAW.normal(0, 1, (K, H)),
    "b": DRAW.normal(0, 0.3, (H, 1)), "c": DRAW.normal(0, 0.3, (K, 1)),
}  # fmt: skip


def log_probabilities(weights: dict[str, Array], activation: Any = np.tanh) -> list[float]:
    """Return ln p of each character of TEXT except the first, by the equations of min-char-rnn."""
    h, found = np.zeros((H, 1)), []
    ids = [CHARACTERS.index(character) for character in TEXT]
    for now, then in itertools.pairwise(ids):
        x = np.zeros((K, 1))
        x[now] = 1
        h = activation(weights["U"] @ x + weights["W"] @ h + weights["b"])
        o = weights["V"] @ h + weights["c"]
        p = np.exp(o) / np.exp(o).sum()
        found.append(float(np.log(p[then, 0])))
    return found


def ours(model: recurra.LanguageModel) -> Array:
    ids = model.vocabulary.encode(TEXT).astype(np.int64)
    log_p = model.reader.log_probabilities(ids[:-1], model.zero_state())[0]
    return np.asarray(log_p)[np.arange(len(ids) - 1), ids[1:]]


def saved(path: Path, names: str = "U W V b c", **changes: Any) -> Path:
    """Write an .npz file of the network under five names, and of other arrays."""
    arrays: dict[str, Any] = dict(zip(names.split(), WEIGHTS.values(), strict=True))
    np.savez(path, **arrays, **changes)
    return path


@pytest.mark.parametrize("names", ["U W V b c", "Wxh Whh Why bh by", "W_xh W_hh W_hy b_h b_y", "Wax Waa Wya ba by"])
def test_the_numbers_are_those_of_the_equations(tmp_path: Path, names: str) -> None:
    path = saved(tmp_path / "a.npz", names, chars=list(CHARACTERS), hprev=np.zeros((H, 1)), smooth_loss=42.5)
    model = recurra.import_model(path)
    assert model.vocabulary.symbols == "".join(sorted(CHARACTERS))
    np.testing.assert_allclose(ours(model), log_probabilities(WEIGHTS), rtol=0, atol=1e-5)


ROWS = {name: np.ascontiguousarray(array.T) for name, array in WEIGHTS.items()}
FLAT = {name: array.ravel() if name in "bc" else array for name, array in WEIGHTS.items()}


@pytest.mark.parametrize(
    "weights",
    [
        ROWS,
        FLAT,
        {name: array.ravel() if name in "bc" else array for name, array in ROWS.items()},
        {name: np.asfortranarray(array) for name, array in WEIGHTS.items()},
        {name: array.astype(">f8") for name, array in WEIGHTS.items()},
        {name: array.astype(np.float32) for name, array in WEIGHTS.items()},
    ],
    ids=["row vectors", "flat biases", "row vectors and flat biases", "Fortran order", "big-endian", "float32"],
)
def test_orientations_and_types(tmp_path: Path, weights: dict[str, Any]) -> None:
    np.savez_compressed(tmp_path / "a.npz", **weights, vocab=np.array(CHARACTERS))
    found = ours(recurra.import_model(tmp_path / "a.npz"))
    np.testing.assert_allclose(found, log_probabilities(WEIGHTS), rtol=0, atol=1e-5)


def test_arrays_by_position(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", *WEIGHTS.values(), code_points=[ord(character) for character in CHARACTERS])
    found = ours(recurra.import_model(tmp_path / "a.npz"))
    np.testing.assert_allclose(found, log_probabilities(WEIGHTS), rtol=0, atol=1e-5)


def test_relu_network_is_imported_with_activation_relu(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.npz", chars=list(CHARACTERS))
    model = recurra.import_model(path, activation="relu")
    expected = log_probabilities(WEIGHTS, lambda a: np.maximum(a, 0))
    np.testing.assert_allclose(ours(model), expected, rtol=0, atol=1e-5)
    with pytest.raises(UsageError, match="names of modules describe a state_dict"):
        recurra.import_model(path, recurrent="rnn")


@pytest.mark.parametrize("shape", [(1, K), (K, 1), (K,)], ids=["rows", "columns", "flat"])
def test_square_matrices(tmp_path: Path, shape: tuple[int, ...]) -> None:
    """If m equals K, the biases show the orientation; flat biases do not, so the orientation of DD2424 is assumed."""
    draw = np.random.default_rng(5)
    weights = {name: draw.normal(size=(K, K)) for name in "UWV"} | {"b": draw.normal(size=K), "c": draw.normal(size=K)}
    turned: dict[str, Any] = {
        name: array.T if shape[0] == 1 else array for name, array in weights.items() if name in "UWV"
    }
    biases: dict[str, Any] = {name: weights[name].reshape(shape) for name in "bc"}
    np.savez(tmp_path / "a.npz", **turned, **biases, chars=sorted(CHARACTERS))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = recurra.import_model(tmp_path / "a.npz")
    for name in "UWVbc":
        own = name if name in "Vc" else f"layers.0.{name}"
        np.testing.assert_array_equal(model.parameters[own], weights[name].astype(np.float32))
    told = ["recurra takes W h + U x + b, not h W + x U + b" in str(one.message) for one in caught]
    assert told == ([True] if len(shape) == 1 else [])


def test_state_dict_in_npz_file_is_imported(tmp_path: Path) -> None:
    """Its two biases are added."""
    state: dict[str, Any] = {
        "rnn.weight_ih_l0": WEIGHTS["U"], "rnn.weight_hh_l0": WEIGHTS["W"], "rnn.bias_ih_l0": WEIGHTS["b"].ravel() / 2,
        "rnn.bias_hh_l0": WEIGHTS["b"].ravel() / 2, "fc.weight": WEIGHTS["V"], "fc.bias": WEIGHTS["c"].ravel(),
    }  # fmt: skip
    np.savez(tmp_path / "a.npz", **state, vocab=list(CHARACTERS))
    found = ours(recurra.import_model(tmp_path / "a.npz"))
    np.testing.assert_allclose(found, log_probabilities(WEIGHTS), rtol=0, atol=1e-5)


def test_an_array_of_objects_is_left_out_unread(tmp_path: Path) -> None:
    ids = {character: number for number, character in enumerate(CHARACTERS)}
    path = saved(tmp_path / "a.npz", char_to_ix=ids)
    with pytest.raises(UsageError, match="does not contain the characters of its ids"):
        recurra.import_model(path)
    (tmp_path / "ids.json").write_text(str(ids).replace("'", '"'))
    assert ours(recurra.import_model(path, vocabulary=tmp_path / "ids.json"))[0] < 0
    others: dict[str, Any] = {name: WEIGHTS[name] for name in "WVbc"}
    np.savez(tmp_path / "b.npz", U=np.array([None]), **others)
    with pytest.raises(ModelError, match=r"has no network: it has `W`, `V`, `b`, `c`; recurra does not read: `U`\."):
        recurra.import_model(tmp_path / "b.npz")


WRONG: list[tuple[dict[str, Any], str]] = [
    (
        {"U": WEIGHTS["U"].T},
        r"`U` in `a.npz` must be 5 x 6, since W is m x m with m = 5 .* got 6 x 5; `U` may be transposed",
    ),
    ({"W": WEIGHTS["W"][:, :4]}, "`W` in `a.npz` must be 5 x 5"),
    ({"b": WEIGHTS["b"][..., None]}, "`b` in `a.npz` is not a matrix of numbers"),
    ({"c": np.array(["x"] * K)}, "`c` in `a.npz` is not a matrix of numbers"),
    ({"c": np.zeros((0, 1))}, "`c` in `a.npz` is not a matrix of numbers"),
    ({"V": WEIGHTS["V"] * np.nan}, "parameter `V` must be finite"),
    ({"chars": list(CHARACTERS[:-1])}, "the vocabulary has 5 characters, the network 6"),
    ({"chars": list("aabcde")}, "`chars` is not a vocabulary: 'a' occurs twice"),
    ({"chars": ["the", *"abcde"]}, "`chars` is not a vocabulary: 'the' is not a single character"),
]


@pytest.mark.parametrize(("changes", "words"), WRONG, ids=[words[:40] for _, words in WRONG])
def test_arrays_that_do_not_fit_are_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    np.savez("a.npz", **({"chars": list(CHARACTERS)} | WEIGHTS | changes))
    with pytest.raises(RecurraError, match=words):
        recurra.import_model("a.npz")


def npy(header: str, data: bytes = b"", version: int = 1, length: int | None = None) -> bytes:
    size = len(header) if length is None else length
    return (
        b"\x93NUMPY" + bytes([version, 0]) + size.to_bytes(2 if version == 1 else 4, "little") + header.encode() + data
    )


HEADERS: list[tuple[bytes, str]] = [
    (b"", "`U` is not an .npy file"),
    (b"\x93NUMPY\x07\0", "`U` is not an .npy file"),
    (npy("{", length=20_000), "`U` has an invalid header"),
    (npy("x" * 60_000, version=2), "`U` has an invalid header"),
    (npy("{'descr': '<f8', 'fortran_order': False, 'shape': (9, 9), }"), "more or fewer bytes than its shape"),
    (npy("{'descr': '<f8', 'fortran_order': False, 'shape': (), }", bytes(9)), "more or fewer bytes than its shape"),
    (npy(f"{{'descr': '<f8', 'fortran_order': False, 'shape': ({1 << 39},), }}"), "are too large"),
    (npy(f"{{'descr': '<f8', 'fortran_order': False, 'shape': ({1 << 40},), }}"), "has an impossible shape"),
    (npy("{'descr': '<f8', 'fortran_order': False, 'shape': True, }"), "is damaged"),
    (npy("{'descr': '<f8', 'fortran_order': False}"), "recurra does not read: `U`"),
    (npy("{'descr': __import__('os'), 'fortran_order': False, 'shape': ()}"), "recurra does not read: `U`"),
    (npy("{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': ()}"), "recurra does not read: `U`"),
    (npy("{'descr': '|O', 'fortran_order': False, 'shape': ()}"), "recurra does not read: `U`"),
    (npy("{'descr': '<U1', 'fortran_order': False, 'shape': ()}", b"\0\0\x11\0"), "that is not a character"),
    (npy("{'descr': '<U0', 'fortran_order': False, 'shape': ()}"), "recurra does not read: `U`"),
]  # fmt: skip


@pytest.mark.parametrize(("data", "words"), HEADERS, ids=range(len(HEADERS)))
def test_hostile_headers(tmp_path: Path, data: bytes, words: str) -> None:
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("U.npy", data)
    with pytest.raises((ModelError, CheckpointError), match=words):
        recurra.import_model(tmp_path / "a.npz")


def test_npy_headers_of_python_2_and_other_writers_are_read(tmp_path: Path) -> None:
    headers = {
        "a": "{'descr': '<f4', 'fortran_order': False, 'shape': (2L, 1L), }          \n",
        "b": "{'shape': (2,1),'fortran_order':True,'descr':'<f4'}",
    }
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        for name, header in headers.items():
            archive.writestr(f"{name}.npy", npy(header, np.array([1, 2], "<f4").tobytes()))
    arrays = numpy_file.read(tmp_path / "a.npz").arrays
    assert [array.tolist() for array in arrays.values()] == [[[1], [2]], [[1], [2]]]


def test_damage_in_the_archive(tmp_path: Path) -> None:
    whole = saved(tmp_path / "a.npz", chars=list(CHARACTERS)).read_bytes()
    at = whole.index(WEIGHTS["V"].tobytes())
    (tmp_path / "a.npz").write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
    with pytest.raises(CheckpointError, match="is a zip archive that is damaged: Bad CRC-32"):
        recurra.import_model(tmp_path / "a.npz")
    (tmp_path / "a.npz").write_bytes(whole[:-30])
    with pytest.raises(CheckpointError, match="is a zip archive that is truncated"):
        recurra.import_model(tmp_path / "a.npz")


def test_archives_that_are_too_much(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "many.npz", "w") as archive:
        for number in range(1001):
            archive.writestr(f"{number}.npy", b"")
    with pytest.raises(ModelError, match="has more than 1,000 arrays"):
        recurra.import_model(tmp_path / "many.npz")
    np.savez_compressed(tmp_path / "bomb.npz", U=np.zeros(1 << 23))
    with pytest.raises(ModelError, match="are too large"):
        recurra.import_model(tmp_path / "bomb.npz")
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("U.npy", npy("{'descr': '<f8', 'fortran_order': False, 'shape': (), }", bytes(8)))
    (tmp_path / "lzma.npz").write_bytes(file.getvalue())
    with pytest.raises(CheckpointError, match="has a compression that NumPy does not use"):
        recurra.import_model(tmp_path / "lzma.npz")
