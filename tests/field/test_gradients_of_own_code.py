"""Gradients of other programs are compared with ours, from files as students write them, and mistakes are named."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pytest

import recurra
from mat_files import HEAD, numbers, struct_of
from networks import small
from pages import ROOT
from recurra.cli import main
from recurra.errors import CheckpointError, ModelError, UsageError
from recurra.interop import gradient_file

Array = npt.NDArray[Any]
TEXT = "In the beginning was a small book, and God said: let it be read often.\n"
OCTAVE = shutil.which("octave-cli")
m, T = 5, 9


@pytest.fixture(scope="module")
def problem() -> dict[str, Array]:
    """The arrays of a problem, with weights that are large enough for every term to matter."""
    numbers = np.random.default_rng(0)
    K = 6
    arrays = {"U": (m, K), "W": (m, m), "b": (m,), "V": (K, m), "c": (K,), "h0": (m,)}
    found = {name: 0.7 * numbers.normal(size=shape) for name, shape in arrays.items()}
    return found | {"inputs": numbers.integers(0, K, T), "targets": numbers.integers(0, K, T)}


def student(
    p: dict[str, Array],
    *,
    later: Callable[[Array, Array], Array] = lambda W, da: W.T @ da,
    slope: Callable[[Array], Array] = lambda h: 1 - h**2,
    before: int = 0,
    add: bool = True,
    target: float = 1.0,
) -> dict[str, Array]:
    """Gradients as a student computes them, step by step; the arguments are the places where one goes wrong."""
    h, probabilities = [p["h0"]], []
    for x in p["inputs"]:
        h.append(np.tanh(p["W"] @ h[-1] + p["U"][:, x] + p["b"]))
        e = np.exp(p["V"] @ h[-1] + p["c"])
        probabilities.append(e / e.sum())
    grads = {name: np.zeros_like(p[name]) for name in "UWbVc"}
    dh = np.zeros(m)
    for t in reversed(range(T)):
        g = probabilities[t].copy()
        g[p["targets"][t]] -= target
        da = (p["V"].T @ g + dh) * slope(h[t + 1])
        x = np.eye(len(p["c"]))[p["inputs"][t]]
        step = {
            "U": np.outer(da, x), "W": np.outer(da, h[t + before]), "b": da, "V": np.outer(g, h[t + 1]), "c": g,
        }  # fmt: skip
        grads = {name: grads[name] * add + step[name] for name in grads}
        dh = later(p["W"], da)
    return grads | {"h0": dh}


def saved(path: Path, problem: dict[str, Array], grads: dict[str, Array], pattern: str = "d{}") -> Path:
    gradients: dict[str, Any] = {pattern.format(name): gradient for name, gradient in grads.items()}
    np.savez(path, **cast("dict[str, Any]", problem), **gradients)
    return path


def compared(path: Path) -> dict[str, Any]:
    return recurra.compare_gradients(path)


@pytest.mark.parametrize("pattern", ["d{}", "grads.{}", "grad_{}", "{}_grad", "dLd{}"])
def test_right_gradients_pass_under_the_names_that_students_use(
    tmp_path: Path, problem: dict[str, Array], pattern: str
) -> None:
    found = compared(saved(tmp_path / "a.npz", problem, student(problem), pattern))
    assert found["passed"] is True
    assert list(found["gradients"]) == ["U", "W", "b", "V", "c", "h0"]
    assert all(one["max_rel"] < 1e-13 for one in found["gradients"].values())


MISTAKES: list[tuple[dict[str, Any], Callable[[Array], Array], set[str], str]] = [
    ({}, lambda g: -g, set("UWbVc") | {"h0"}, "its sign is wrong"),
    ({}, lambda g: g / T, set("UWbVc") | {"h0"}, "it is the mean over the 9 time steps"),
    ({}, lambda g: g * 0, set("UWbVc") | {"h0"}, "it is zero everywhere"),
    ({"add": False}, lambda g: g, set("UWbVc"), "it is the gradient of the first time step alone"),
    ({"later": lambda W, da: 0 * da}, lambda g: g, set("UWb") | {"h0"}, "no gradient comes from later"),
    ({"later": lambda W, da: W @ da}, lambda g: g, set("UWb"), "multiplied by W, not by W^T"),
    ({"slope": np.ones_like}, lambda g: g, set("UWb") | {"h0"}, "the factor 1 - h_t^2"),
    ({"slope": lambda h: 1 - h}, lambda g: g, set("UWb") | {"h0"}, "not 1 - h_t"),
    ({"before": 1}, lambda g: g, {"W"}, "h_t in place of h_{t-1}"),
    ({"target": 0.0}, lambda g: g, set("UWbVc") | {"h0"}, "y_t was not subtracted"),
]


@pytest.mark.parametrize(("wrong", "change", "letters", "sentence"), MISTAKES)
def test_usual_mistake_is_named(
    tmp_path: Path,
    problem: dict[str, Array],
    wrong: dict[str, Any],
    change: Callable[[Array], Array],
    letters: set[str],
    sentence: str,
) -> None:
    grads = {name: change(gradient) for name, gradient in student(problem, **wrong).items()}
    found = compared(saved(tmp_path / "a.npz", problem, grads))
    assert {letter for letter, one in found["gradients"].items() if not one["passed"]} >= letters
    for letter in letters - ({"h0"} if wrong.get("later") else set()):
        assert sentence in str(found["gradients"][letter]["likely_mistake"])


def test_clipped_gradients_and_an_ignored_state_are_named(tmp_path: Path, problem: dict[str, Array]) -> None:
    large = problem | {"V": problem["V"] * 9}
    clipped = {name: gradient.clip(-5, 5) for name, gradient in student(large).items()}
    found = compared(saved(tmp_path / "a.npz", large, clipped))
    assert "clipped to [-5, 5]" in found["gradients"]["U"]["likely_mistake"]
    without = problem | {"h0": np.zeros(m)}
    found = compared(saved(tmp_path / "b.npz", problem, student(without)))
    assert "began with zeros, not with h0" in found["gradients"]["W"]["likely_mistake"]


def test_an_unknown_mistake_is_wrong_without_a_name(tmp_path: Path, problem: dict[str, Array]) -> None:
    grads = student(problem)
    grads["W"][2, 3] += 1e-3
    found = compared(saved(tmp_path / "a.npz", problem, grads))
    assert [letter for letter, one in found["gradients"].items() if not one["passed"]] == ["W"]
    assert found["gradients"]["W"]["max_abs"] == pytest.approx(1e-3, rel=1e-6)
    assert found["gradients"]["W"]["likely_mistake"] is None
    grads["W"][0, 0] = np.nan
    found = compared(saved(tmp_path / "a.npz", problem, grads))
    assert found["gradients"]["W"]["likely_mistake"] == "it has numbers that are not finite."


def test_single_precision_has_a_wider_limit(tmp_path: Path, problem: dict[str, Array]) -> None:
    grads = {name: gradient.astype(np.float32) for name, gradient in student(problem).items()}
    found = compared(saved(tmp_path / "a.npz", problem, grads))
    assert found["passed"] is True
    assert found["gradients"]["U"]["limit"] == 1e-4


def mat(problem: dict[str, Array], grads: dict[str, Array], **sequence: Array) -> bytes:
    """A MAT-file with the structs RNN and grads, vectors as columns."""
    column = {name: array.reshape(len(array), -1) for name, array in problem.items()}
    network = {name: numbers("", column[name]) for name in "UWbVc"}
    structs = {name: numbers("", grad.reshape(len(grad), -1)) for name, grad in grads.items()}
    rest = {"h0": column["h0"], "loss": np.array([[12.5]]), **sequence}
    return HEAD + struct_of("RNN", network) + struct_of("grads", structs) + b"".join(
        numbers(name, array) for name, array in rest.items()
    )  # fmt: skip


def one_hot(ids: Array, K: int) -> Array:
    return np.eye(K)[ids].T


def test_mat_file_has_structs_and_ids_from_one(tmp_path: Path, problem: dict[str, Array]) -> None:
    K, grads = len(problem["c"]), student(problem)
    inputs, targets = problem["inputs"], problem["targets"]
    vectors = {"inputs": inputs[np.newaxis] + 1, "targets": targets[:, np.newaxis] + 1}
    matrices = {"X": one_hot(inputs, K), "Y": one_hot(targets, K)}
    for number, sequence in enumerate((vectors, matrices, {"X": matrices["X"].T, "Y": vectors["targets"]})):
        path = tmp_path / f"{number}.mat"
        path.write_bytes(mat(problem, grads, **sequence))
        found = compared(path)
        assert found["passed"] is True
        assert found["their_loss"] == 12.5


def test_row_vectors_and_the_names_of_min_char_rnn(tmp_path: Path, problem: dict[str, Array]) -> None:
    names = {"U": "Wxh", "W": "Whh", "V": "Why", "b": "bh", "c": "by"}
    grads = student(problem)
    columns = {name: problem[letter][:, None] if letter in "bc" else problem[letter] for letter, name in names.items()}
    columns |= {f"d{name}": grads[letter].reshape(columns[name].shape) for letter, name in names.items()}
    rest = {"hprev": problem["h0"][:, None], "inputs": problem["inputs"], "targets": problem["targets"]}
    np.savez(tmp_path / "a.npz", **cast("dict[str, Any]", columns | rest))
    found = compared(tmp_path / "a.npz")
    assert found["passed"] is True
    assert found["absent"] == ["h0"]
    rows = {name: array.T for name, array in columns.items()}
    np.savez(tmp_path / "b.npz", **cast("dict[str, Any]", rows | rest))
    assert compared(tmp_path / "b.npz")["passed"] is True


def test_invalid_gradient_file_is_an_error_with_hint(tmp_path: Path, problem: dict[str, Array]) -> None:
    grads = student(problem)
    cases: list[tuple[dict[str, Array], str]] = [
        (problem, "has no gradients"),
        ({name: problem[name] for name in "UWbV"} | {"dU": grads["U"]}, "has no network of U, W, V, b and c"),
        ({name: array for name, array in problem.items() if name != "inputs"} | {"dU": grads["U"]}, "has no inputs"),
        (problem | {"dU": grads["U"].T}, "gradient of U .* is 6 x 5; expected 5 x 6"),
        (problem | {"dU": grads["U"], "targets": problem["targets"] + 9}, "targets in .* are not all ids"),
        (problem | {"dU": grads["U"], "targets": problem["targets"][1:]}, "9 inputs and 8 targets"),
        (problem | {"dU": grads["U"], "inputs": np.eye(4)}, "is 4 x 4; expected one-hot columns, 6 x T"),
        (problem | {"dU": grads["U"], "inputs": problem["inputs"] + 0.5}, "numbers that are not ids"),
        (problem | {"dU": grads["U"], "h0": np.zeros(3)}, "`h0` in .* has 3 numbers"),
        (problem | {"dU": grads["U"], "V": problem["V"] * np.inf}, "`V` in .* not finite"),
        (problem | {"dU": grads["U"], "V": np.sign(problem["V"]) * 1e308}, "the loss is not finite"),
    ]
    for arrays, message in cases:
        np.savez(tmp_path / "a.npz", **cast("dict[str, Any]", arrays))
        with pytest.raises(ModelError, match=message):
            compared(tmp_path / "a.npz")


def test_another_file_is_refused(tmp_path: Path) -> None:
    small().save(tmp_path / "model.safetensors")
    with pytest.raises(ModelError, match=r"is neither an \.npz file nor a MAT-file"):
        compared(tmp_path / "model.safetensors")
    (tmp_path / "a.npz").write_bytes(b"PK\3\4" + bytes(60))
    with pytest.raises((ModelError, CheckpointError)):
        compared(tmp_path / "a.npz")


@pytest.mark.parametrize("name", ["a.npz", "a.mat"])
def test_written_problem_is_read_back_unchanged(tmp_path: Path, name: str) -> None:
    if name.endswith(".mat"):
        pytest.importorskip("scipy", reason="a MAT-file is written by SciPy")
    for folder in ("first", "second"):
        recurra.write_gradient_problem(tmp_path / folder / name, text=TEXT, hidden_size=m, sequence_length=T, seed=3)
    written = (tmp_path / "first" / name).read_bytes()
    assert written == (tmp_path / "second" / name).read_bytes()
    with pytest.raises(UsageError, match="already exists"):
        recurra.write_gradient_problem(tmp_path / "first" / name, text=TEXT)
    with pytest.raises(ModelError, match="has no gradients"):
        compared(tmp_path / "first" / name)


def test_gradient_problem_must_be_one_elman_layer(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"one elman layer with tanh; got gru \(tanh\), 1 layers"):
        recurra.write_gradient_problem(tmp_path / "a.npz", text=TEXT, cell="gru")
    with pytest.raises(UsageError, match=r"ends in \.npz or \.mat; got `a\.txt`"):
        recurra.write_gradient_problem(tmp_path / "a.txt", text=TEXT)


def test_the_command_writes_a_problem_and_judges_the_gradients(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("book.txt").write_text(TEXT, encoding="utf-8")
    problem = ["check", "--text", "book.txt", "--hidden-size", "5", "--sequence-length", "9"]
    assert main([*problem, "--write", "mine.npz"]) == 0
    assert capsys.readouterr().out == "mine.npz\n"
    arrays = dict(np.load("mine.npz"))
    grads = student({name: array for name, array in arrays.items() if name not in "XY"})
    saved(Path("right.npz"), arrays, grads)
    assert main(["check", "--against", "right.npz"]) == 0
    out = capsys.readouterr().out
    assert re.search(r"^gradients in right\.npz compared with recurra's: m = 5, K = \d+, T = 9$", out, re.MULTILINE)
    assert re.search(r"^  W +\d\.\de-\d\d +\d\.\de-\d\d +1\.0e-06 +right$", out, re.MULTILINE)
    assert out.endswith("\nevery gradient in the file is right\n")
    saved(Path("wrong.npz"), arrays, grads | {"V": -grads["V"]})
    assert main(["check", "--against", "wrong.npz"]) == 1
    out = capsys.readouterr().out
    assert "\nV: its sign is wrong: g_t is p_t - y_t.\n" in out
    assert out.endswith("\na gradient is WRONG\n")
    assert main(["check", "--against", "wrong.npz", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert (found["passed"], found["gradients"]["V"]["passed"]) == (False, False)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["--against", "a.npz", "--hidden-size", "5"],
            "`--against` cannot be combined with `--hidden-size`; the file has its own network and sequence.",
        ),
        (["--against", "a.npz", "--write", "b.npz"], "`--against` cannot be combined with `--write`"),
        (["runs/a", "--write", "b.npz"], "`--write` cannot be combined with MODEL; it only writes a file."),
        (["--force"], "`--force` needs `--write`."),
    ],
)
def test_options_that_do_not_go_together(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", *words]) == 2
    assert message in re.sub(r"\s+", " ", capsys.readouterr().err)


def matlab_program() -> str:
    """Return the program in MATLAB that the tutorial shows."""
    page = (ROOT / "docs/tutorial/report.md").read_text(encoding="utf-8")
    return page.partition("```matlab\n")[2].partition("```")[0]


@pytest.mark.skipif(OCTAVE is None, reason="GNU Octave is not installed: apt install octave")
@pytest.mark.skipif(sys.platform == "win32", reason="Octave's command is another one there")
def test_the_program_of_the_tutorial_passes_in_octave(tmp_path: Path) -> None:
    pytest.importorskip("scipy", reason="a MAT-file is written by SciPy")
    recurra.write_gradient_problem(tmp_path / "mine.mat", text=TEXT, hidden_size=m, sequence_length=T)
    assert OCTAVE is not None
    subprocess.run([OCTAVE, "--quiet", "--eval", matlab_program()], cwd=tmp_path, check=True, timeout=120)
    found = compared(tmp_path / "theirs.mat")
    assert found["passed"] is True
    assert list(found["gradients"]) == ["U", "W", "b", "V", "c"]


def test_one_hot_columns_are_told_from_ids() -> None:
    assert gradient_file.is_one_hot(np.eye(3), 3)
    assert not gradient_file.is_one_hot(np.array([[1], [2], [1]]), 3)
    assert not gradient_file.is_one_hot(np.array([0, 1, 0]), 3)
