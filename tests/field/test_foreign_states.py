"""state_dicts with wrapped modules, tied weights or cells give the same values as PyTorch's equations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from safetensors.numpy import save_file

import recurra
from recurra.errors import RecurraError
from recurra.interop.torch_names import Names
from recurra.interop.torch_state import from_state

Array = npt.NDArray[Any]
CHARACTERS = "abcdefg"
K, D, H = len(CHARACTERS), 4, 4
ROWS = {"rnn": H, "lstm": 4 * H, "gru": 3 * H}
IDS = np.random.default_rng(1).integers(0, K, 40)


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def step(cell: str, x: Array, h: Array, c: Array, p: dict[str, Array]) -> tuple[Array, Array]:
    """Compute one step by the documented equations of RNNCell, LSTMCell and GRUCell."""
    a, b = p["weight_ih"] @ x + p["bias_ih"], p["weight_hh"] @ h + p["bias_hh"]
    if cell == "rnn":
        return np.tanh(a + b), c
    if cell == "lstm":
        i, f, g, o = np.split(a + b, 4)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        return sigmoid(o) * np.tanh(c), c
    (a_r, a_z, a_n), (b_r, b_z, b_n) = np.split(a, 3), np.split(b, 3)
    z = sigmoid(a_z + b_z)
    n = np.tanh(a_n + sigmoid(a_r + b_r) * b_n)
    return (1 - z) * n + z * h, c


class Theirs:
    """A network of PyTorch with an embedding, layers and a projection."""

    def __init__(self, cell: str, layers: int = 1) -> None:
        draw, rows = np.random.default_rng(7), ROWS[cell]
        self.cell = cell
        self.layers = [
            {
                "weight_ih": draw.normal(0, 0.6, (rows, H if layer else D)),
                "weight_hh": draw.normal(0, 0.6, (rows, H)),
                "bias_ih": draw.normal(0, 0.3, rows),
                "bias_hh": draw.normal(0, 0.3, rows),
            }
            for layer in range(layers)
        ]
        self.embedding, self.bias = draw.normal(size=(K, D)), draw.normal(0, 0.3, K)
        self.output = draw.normal(size=(K, H))

    def state(self, pattern: str, output: str = "fc.", embedding: str = "emb.") -> dict[str, Array]:
        """The tensors; `pattern` has the name of a layer's tensor, with {tensor} and {layer}."""
        found = {
            pattern.format(tensor=name, layer=layer): array
            for layer, tensors in enumerate(self.layers)
            for name, array in tensors.items()
        }
        others = {f"{embedding}weight": self.embedding, f"{output}weight": self.output, f"{output}bias": self.bias}
        return {name: array.astype(np.float32) for name, array in (found | others).items()}

    def log_probabilities(self) -> Array:
        """Return (T, K) ln p of every character after each of IDS."""
        state = [(np.zeros(H), np.zeros(H)) for _ in self.layers]
        rows = []
        for number in IDS:
            x = self.embedding[number]
            for layer, tensors in enumerate(self.layers):
                state[layer] = step(self.cell, x, *state[layer], tensors)
                x = state[layer][0]
            o = self.output @ x + self.bias
            rows.append(o - o.max() - np.log(np.exp(o - o.max()).sum()))
        return np.array(rows)


def imported(folder: Path, state: dict[str, Array], metadata: dict[str, str] | None = None, **named: Any) -> Array:
    save_file(state, folder / "a.safetensors", metadata=metadata)
    (folder / "ids.json").write_text(f'"{CHARACTERS}"')
    model = recurra.import_model(folder / "a.safetensors", vocabulary=folder / "ids.json", **named)
    return np.asarray(model.reader.log_probabilities(IDS, model.zero_state())[0])


PATTERNS = [
    ("cell.{tensor}", 1, "fc.", "emb."),
    ("{tensor}", 1, "fc.", "emb."),
    ("module.rnn.{tensor}_l{layer}", 2, "module.fc.", "module.emb."),
    ("_orig_mod.rnn.{tensor}_l{layer}", 2, "_orig_mod.fc.", "_orig_mod.emb."),
    ("model.rnn._orig_mod.{tensor}_l{layer}", 2, "model.fc.", "model.emb."),
    ("cells.{layer}.{tensor}", 3, "fc.", "emb."),
    ("rnns.{layer}.{tensor}_l0", 2, "fc.", "emb."),
    ("lstm{layer}.{tensor}", 2, "output.", "emb."),
    ("{layer}.{tensor}", 2, "fc.", "emb."),
]


@pytest.mark.parametrize("cell", ROWS)
@pytest.mark.parametrize(("pattern", "layers", "output", "embedding"), PATTERNS, ids=[one[0] for one in PATTERNS])
def test_cells_and_wrapped_modules(
    tmp_path: Path, cell: str, pattern: str, layers: int, output: str, embedding: str
) -> None:
    theirs = Theirs(cell, layers)
    found = imported(tmp_path, theirs.state(pattern, output, embedding))
    np.testing.assert_allclose(found, theirs.log_probabilities(), rtol=0, atol=2e-6)


def test_modules_may_be_named_with_or_without_their_wrappers(tmp_path: Path) -> None:
    theirs = Theirs("gru")
    state = theirs.state("module.rnn.{tensor}_l0", "module.fc.", "module.emb.")
    for prefix in ("", "module."):
        names: dict[str, Any] = {"recurrent": f"{prefix}rnn", "projection": f"{prefix}fc", "embedding": f"{prefix}emb"}
        np.testing.assert_allclose(imported(tmp_path, state, **names), theirs.log_probabilities(), atol=2e-6)


@pytest.mark.parametrize("kept", ["emb", "fc"])
def test_tied_weights_are_named_in_the_metadata(tmp_path: Path, kept: str) -> None:
    theirs = Theirs("lstm")
    theirs.output = theirs.embedding
    state = theirs.state("rnn.{tensor}_l0")
    other = {"emb": "fc", "fc": "emb"}[kept]
    del state[f"{other}.weight"]
    metadata = {f"{other}.weight": f"{kept}.weight", "format": "pt"}
    np.testing.assert_allclose(imported(tmp_path, state, metadata), theirs.log_probabilities(), atol=2e-6)


WRONG: list[tuple[dict[str, Array], Names, str]] = [
    (Theirs("gru").state("a.rnn.{tensor}_l0") | Theirs("gru").state("b.rnn.{tensor}_l0"), Names(), "several recurrent"),
    (Theirs("gru", 2).state("rnn{layer}.{tensor}"), Names("rnn0"), "has no place in a network of an embedding"),
    (
        Theirs("gru").state("rnn.0.{tensor}_l0") | Theirs("gru", 2).state("rnn.1.{tensor}_l{layer}"),
        Names(),
        "`rnn.1.bias_hh_l1` has no place|several recurrent networks",
    ),
    (
        Theirs("gru").state("module.rnn.{tensor}_l0") | Theirs("gru").state("rnn.{tensor}_l0"),
        Names(),
        "several recurrent networks: `module.rnn`, `rnn`",
    ),
    (Theirs("rnn").state("rnn.{tensor}_l0_reverse"), Names(), "the file has no recurrent layers"),
]


@pytest.mark.parametrize(("state", "names", "words"), WRONG, ids=[words for *_, words in WRONG])
def test_ambiguous_state_dict_is_an_error(state: dict[str, Array], names: Names, words: str) -> None:
    with pytest.raises(RecurraError, match=words):
        from_state(state, names)
