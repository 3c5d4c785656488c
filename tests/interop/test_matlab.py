"""The struct RNN: SciPy and GNU Octave compute the same numbers from an export, and recurra imports their files."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import recurra
from mat_files import HEAD, characters, numbers, struct_of
from networks import SYMBOLS, bible_ids, bible_log_probabilities, make, of_bible, same, small
from recurra.config import ModelConfig
from recurra.errors import ModelError, RecurraError, UsageError
from recurra.interop import matlab, matlab_script
from recurra.network.cells import CELLS
from recurra.text.vocabulary import Vocabulary

COURSE = ModelConfig(hidden_size=24)
MODEL = small()
FIELDS = {name: MODEL.parameters[parameter].astype(float) for name, parameter in matlab.FIELDS.items()}
FIELDS |= {name: FIELDS[name][:, np.newaxis] for name in ("b", "c")}
OCTAVE = shutil.which("octave-cli")


def scipy_io() -> Any:
    return pytest.importorskip("scipy.io", reason="the export is by SciPy")


def file(**changes: Any) -> bytes:
    """Return a MAT-file of the network `MODEL` with its characters; `changes` replace fields."""
    fields = {name: numbers("", array) for name, array in (FIELDS | changes).items()}
    return HEAD + struct_of("RNN", fields) + numbers("code_points", MODEL.vocabulary.code_points[:, np.newaxis])


def load(tmp_path: Path, data: bytes, **named: Any) -> recurra.LanguageModel:
    (tmp_path / "a.mat").write_bytes(data)
    return recurra.import_model(tmp_path / "a.mat", **named)


@pytest.mark.parametrize(
    "vocabulary", [Vocabulary.of("\nabc"), Vocabulary.of(SYMBOLS), Vocabulary.bytes()], ids=["ASCII", "others", "bytes"]
)
def test_mat_export_and_import_gives_same_bits(tmp_path: Path, vocabulary: Vocabulary) -> None:
    scipy_io()
    model = make(ModelConfig(hidden_size=5), vocabulary)
    path = recurra.export(model, tmp_path / "a.mat", format="matlab")
    assert same(recurra.import_model(path), model)
    assert path.read_bytes() == matlab.to_bytes(model)  # the file has no date


def test_scipy_computes_the_same_log_p_of_10000_characters(tmp_path: Path) -> None:
    scipy_io()
    path = recurra.export(of_bible(COURSE), tmp_path / "a.mat", format="matlab")
    variables = scipy_io().loadmat(path, simplify_cells=True)
    U, W, V, b, c = (variables["RNN"][name] for name in "UWVbc")
    assert all(array.dtype == np.float64 for array in (U, W, V, b, c))
    h, logs = np.zeros(len(W)), []
    for x in bible_ids()[:-1]:
        h = np.tanh(W @ h + U[:, x] + b)
        o = V @ h + c
        logs.append(o - np.log(np.exp(o).sum()))
    np.testing.assert_allclose(logs, bible_log_probabilities(COURSE), rtol=0, atol=1e-5)
    assert "".join(map(chr, variables["code_points"].astype(int))) == of_bible(COURSE).vocabulary.symbols


def test_fields_are_double_columns_and_book_chars_are_ascii(tmp_path: Path) -> None:
    scipy_io()
    path = recurra.export(make(ModelConfig(hidden_size=5), Vocabulary.of("\nabc")), tmp_path / "a.mat", format="matlab")
    variables = scipy_io().loadmat(path)
    struct = variables["RNN"][0, 0]
    shapes = {name: struct[name].shape for name in "UWVbc"}
    assert shapes == {"U": (5, 4), "W": (5, 5), "V": (4, 5), "b": (5, 1), "c": (4, 1)}
    assert variables["code_points"].shape == (4, 1)
    assert variables["book_chars"][0] == "\nabc"
    assert "book_chars" not in scipy_io().loadmat(recurra.export(MODEL, tmp_path / "b.mat", format="matlab"))


@pytest.mark.parametrize("activation", ["tanh", "relu"])
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("layers", [1, 2])
def test_only_one_elman_layer_with_tanh_is_exported(tmp_path: Path, cell: str, layers: int, activation: str) -> None:
    if (cell, layers, activation) == ("elman", 1, "tanh") or (cell != "elman" and activation == "relu"):
        return
    model = small(ModelConfig(cell=cell, activation=activation, hidden_size=5, layers=layers))
    words = re.escape(f"one layer with tanh; got {cell} ({activation}), {layers} layers.")
    with pytest.raises(UsageError, match=words) as error:
        recurra.export(model, tmp_path / "a.mat", format="matlab")
    assert error.value.hint is not None
    assert ("support every network of this cell" in error.value.hint) == (CELLS[cell].torch is not None)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("changes", [{}, {"b": FIELDS["b"].T, "c": FIELDS["c"].T}], ids=["columns", "rows"])
def test_vectors_may_be_rows_or_columns(tmp_path: Path, changes: dict[str, Any]) -> None:
    assert same(load(tmp_path, file(**changes)), MODEL)


def test_struct_may_have_another_name_or_be_missing(tmp_path: Path) -> None:
    points = numbers("code_points", MODEL.vocabulary.code_points[:, np.newaxis])
    fields = {name: numbers("", array) for name, array in FIELDS.items()}
    assert same(load(tmp_path, HEAD + struct_of("best", fields) + points), MODEL)
    flat = b"".join(numbers(name, array) for name, array in FIELDS.items())
    assert same(load(tmp_path, HEAD + flat + points), MODEL)
    other = {name: numbers("", -array) for name, array in FIELDS.items()}
    assert same(load(tmp_path, HEAD + struct_of("RNN", fields) + struct_of("m", other) + points), MODEL)
    with pytest.raises(ModelError, match=r"`.*a.mat` has several networks: best, m\."):
        load(tmp_path, HEAD + struct_of("best", fields) + struct_of("m", other) + points)


def test_characters_may_have_any_order(tmp_path: Path) -> None:
    order = np.random.default_rng(2).permutation(len(SYMBOLS))
    moved = FIELDS | {"U": FIELDS["U"][:, order], "V": FIELDS["V"][order], "c": FIELDS["c"][order]}
    fields = struct_of("RNN", {name: numbers("", array) for name, array in moved.items()})
    symbols = "".join(MODEL.vocabulary.symbols[i] for i in order)
    assert same(load(tmp_path, HEAD + fields + characters("book_chars", symbols, 17, "utf-16-le")), MODEL)
    (tmp_path / "book.txt").write_text(symbols * 3, encoding="utf-8")
    (tmp_path / "ids.json").write_text(str(list(map(ord, symbols))))
    assert same(load(tmp_path, HEAD + fields, vocabulary=tmp_path / "ids.json"), MODEL)
    assert same(load(tmp_path, file(), sources=tmp_path / "book.txt"), MODEL)
    with pytest.raises(UsageError, match="does not contain the characters of its ids") as error:
        load(tmp_path, HEAD + fields)
    assert error.value.hint is not None
    assert "a.mat --text TEXT`, or `--vocabulary FILE.json`." in error.value.hint


K, m = len(SYMBOLS), 5
WRONG: list[tuple[bytes, str]] = [
    (
        file(U=FIELDS["U"].T),
        f"must be {m} x {K}, since W is m x m with m = 5 and c K x 1 with K = 8; got 8 x 5; `U` may be transposed",
    ),
    (
        file(V=FIELDS["V"].T),
        "`V` in `a.mat` must be 8 x 5, since W is m x m with m = 5 and c K x 1 with K = 8; got 5 x 8",
    ),
    (file(W=FIELDS["W"][:, :4]), "`W` in `a.mat` must be 5 x 5, since W is m x m with m = 5"),
    (file(c=FIELDS["b"]), "must be 5 x 5, since W is m x m with m = 5 and c K x 1 with K = 5; got 5 x 8."),
    (
        file(b=FIELDS["c"]),
        "`b` in `a.mat` must be 5 x 1, since W is m x m with m = 5 and c K x 1 with K = 8; got 8 x 1.",
    ),
    (file(b=FIELDS["b"][:, :, np.newaxis]), "`b` in `a.mat` is not a matrix of numbers"),
    (file(U=np.zeros((0, 0))), "`U` in `a.mat` is not a matrix of numbers"),
    (file(b=FIELDS["b"] * np.nan), "parameter `layers.0.b` must be finite; got nan"),
    (file(V=FIELDS["V"] * 1e300), "parameter `V` must be finite; got "),
    (file(W=np.zeros((5000, 1))), "the network in `a.mat`, m = 5000 and K = 8, has more than 16,777,216 parameters"),
    (HEAD, "has no struct with the fields U, W, V, b and c; it has no numbers, characters or structs"),
    (HEAD + numbers("W", FIELDS["W"]), "has no struct with the fields U, W, V, b and c; it has `W`"),
    (file() + numbers("code_points", [[97.5]]), "`code_points` must be whole numbers"),
    (file() + numbers("code_points", [[np.nan]]), "`code_points` must be whole numbers"),
    (file() + numbers("code_points", [range(7)]), "the vocabulary has 7 characters, the network 8."),
    (file() + numbers("code_points", [[7] * 8]), "must have each character once, in ascending order"),
    (file() + numbers("code_points", [range(2**30, 2**30 + 8)]), "a number that is not a code point of Unicode"),
    (file() + numbers("is_bytes", [[1]]), "must be the code points 0 to 255"),
]


@pytest.mark.parametrize(("data", "words"), WRONG, ids=[words[-60:] for _, words in WRONG])
def test_invalid_mat_file_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: bytes, words: str) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.mat").write_bytes(data)
    with pytest.raises(RecurraError, match=re.escape(words)):
        recurra.import_model("a.mat")


def test_other_levels_and_formats_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"is a MAT-file of level 7.3, which recurra does not read") as error:
        load(tmp_path, b"MATLAB 7.3 MAT-file".ljust(512))
    assert error.value.hint == "save it with `-v7`."
    with pytest.raises(ModelError, match="is in Octave's own format"):
        load(tmp_path, b"# Created by Octave 7.3.0")
    with pytest.raises(UsageError, match="a MAT-file has a network of DD2424 assignment 4"):
        load(tmp_path, file(), activation="relu")


@pytest.mark.parametrize("name", ["kjv", "my model", "it's", "a-b.c", "日本"])
def test_function_name_is_valid_in_matlab(name: str) -> None:
    assert re.fullmatch(r"sample_[A-Za-z0-9_]{1,50}", matlab_script.function_name(name))
    text = matlab_script.script(f"{name}.mat", "h = 0;").decode()
    assert text.startswith(f"function [text, log_p] = {matlab_script.function_name(name)}(n, prompt, temperature)\n")
    quoted = name.replace("'", "''")
    assert f"load(fullfile(here, '{quoted}.mat'))" in text


def test_file_name_with_a_line_break_is_an_error() -> None:
    with pytest.raises(UsageError, match="a MAT-file's name must be printable"):
        matlab_script.script("a\nb.mat", "h = 0;")


def octave(folder: Path, code: str) -> str:
    """Run code in GNU Octave and return its output; raise an error if its exit code is not 0."""
    if OCTAVE is None:
        pytest.skip("GNU Octave is not installed: what runs the .m text")
    line = [OCTAVE, "--quiet", "--norc", "--no-history", "--eval", code]
    return subprocess.run(line, cwd=folder, capture_output=True, text=True, check=True, encoding="utf-8").stdout


def test_octave_computes_the_same_log_p_of_10000_characters(tmp_path: Path) -> None:
    scipy_io()
    recurra.export(of_bible(COURSE), tmp_path / "kjv.mat", format="matlab")
    ids = bible_ids()
    (tmp_path / "text").write_text(of_bible(COURSE).vocabulary.decode(ids), encoding="utf-8")
    printed = octave(tmp_path, "sample_kjv(0, fileread('text'))")
    expected = bible_log_probabilities(COURSE)[np.arange(10_000), ids[1:]]
    np.testing.assert_allclose([float(line) for line in printed.split()], expected, rtol=0, atol=1e-5)


def test_octave_samples_a_memorized_text(tmp_path: Path) -> None:
    """Use characters of one to four bytes, and a prompt with a character outside the vocabulary."""
    scipy_io()
    vocabulary = Vocabulary.of("\né—😀a")
    text = "a\né—😀"
    model = make(ModelConfig(hidden_size=5), vocabulary)
    ids = vocabulary.encode(text)
    parameters = {name: np.zeros_like(array) for name, array in model.parameters.items()}
    parameters["layers.0.U"][:] = np.eye(5) * 50
    for now, then in zip(ids, [*ids[1:], ids[0]], strict=True):
        parameters["V"][then, now] = 100
    model = model.with_parameters(parameters)
    recurra.export(model, tmp_path / "it's.mat", format="matlab")
    printed = octave(
        tmp_path,
        "warning('off'); sample_it_s(9, 'x—'); sample_it_s(5); "
        "[t, p] = sample_it_s(3, 'a', 0.5); printf('%d %d %.3f', numel(p), ischar(t), abs(sum(p)))",
    )
    assert printed == "😀a\né—😀a\né\né—😀a\n\n3 1 0.000"


def test_octave_samples_bytes(tmp_path: Path) -> None:
    scipy_io()
    model = make(ModelConfig(hidden_size=5), Vocabulary.bytes())
    recurra.export(model, tmp_path / "b.mat", format="matlab")
    text = "é and é"
    printed = octave(tmp_path, f"sample_b(0, '{text}')")
    ids = model.vocabulary.encode(model.vocabulary.spell(text)).astype(np.int64)
    expected = model.reader.log_probabilities(ids[:-1], model.zero_state())[0][np.arange(len(ids) - 1), ids[1:]]
    np.testing.assert_allclose([float(line) for line in printed.split()], expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("level", ["-v6", "-v7"])
def test_file_from_octave_is_imported(tmp_path: Path, level: str) -> None:
    scipy_io()
    model = make(ModelConfig(hidden_size=5), Vocabulary.of("abcd\n"))
    recurra.export(model, tmp_path / "a.mat", format="matlab")
    octave(
        tmp_path,
        "d = load('a.mat'); RNN = d.RNN; book_chars = d.book_chars; cells = {1, 'a'}; on = true; z = 1 + 2i; "
        f"s = sparse(eye(3)); e = []; save('{level}', 'o.mat')",
    )
    assert same(recurra.import_model(tmp_path / "o.mat"), model)


def test_compressed_file_from_scipy_is_imported(tmp_path: Path) -> None:
    points = MODEL.vocabulary.code_points.astype(float)
    saved = {"RNN": FIELDS, "code_points": points, "note": "x", "list": [1, "a"]}
    scipy_io().savemat(tmp_path / "a.mat", saved, do_compression=True)
    assert same(recurra.import_model(tmp_path / "a.mat"), MODEL)


@pytest.mark.parametrize("cell", ["mingru", "mogrifier"])
def test_unsupported_cell_error_has_a_train_command(cell: str) -> None:
    with pytest.raises(UsageError, match=f"one layer with tanh; got {cell}") as error:
        matlab.update_line(ModelConfig(cell=cell))
    assert error.value.hint is not None
    assert "recurra train --cell elman --layers 1" in error.value.hint
