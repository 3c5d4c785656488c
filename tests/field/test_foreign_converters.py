"""The conversion scripts, run with the other program installed or imitated, for every way to save a network."""

from __future__ import annotations

import ast
import contextlib
import importlib
import io
import runpy
import sys
import types
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

import recurra
from recurra.cli import main
from recurra.interop import converter

CHARACTERS = "hel owrd\n"
K = len(CHARACTERS)
IDS = np.random.default_rng(1).integers(0, K, 50)

MODULE = '''
import torch

class CharRNN(torch.nn.Module):
    """A network as people write it; the class cannot be imported where the script runs."""

    def __init__(self, tied=False):
        super().__init__()
        self.chars = tuple({characters!r})
        self.encoder = torch.nn.Embedding({K}, 6)
        self.lstm = torch.nn.LSTM(6, 6, 2, dropout=0.5)
        self.decoder = torch.nn.Linear(6, {K})
        if tied:
            self.decoder.weight = self.encoder.weight

    def forward(self, x):
        return self.decoder(self.lstm(self.encoder(x))[0])
'''


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("ids.json").write_text(repr(list(CHARACTERS)).replace("'", '"'))


class Done(NamedTuple):
    """The result of a script: its output, or its error message."""

    refused: str
    written: str


def run(*options: str) -> Done:
    """Run convert.py as `python convert.py` does, but in this process, which has PyTorch already."""
    output, refused = io.StringIO(), ""
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings(), contextlib.redirect_stdout(output):
        warnings.simplefilter("ignore")
        patch.setattr(sys, "argv", ["convert.py", *options])
        try:
            runpy.run_path("convert.py", run_name="__main__")
        except SystemExit as end:
            refused = str(end.code)
    return Done(refused, output.getvalue())


def write_script(name: str, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    """Write the script that the hint names."""
    assert main(["import", name, "--converter"]) == 0
    Path("convert.py").write_bytes(capsysbinary.readouterr().out)


def ours(model: recurra.LanguageModel, order: str = CHARACTERS) -> Any:
    """Return (T, K) ln p of every character after each of IDS, in the symbol order of the other program."""
    own = model.vocabulary.encode("".join(order[number] for number in IDS)).astype(np.int64)
    log_p = np.asarray(model.reader.log_probabilities(own, model.zero_state())[0])
    return log_p[:, model.vocabulary.encode(order)]


@pytest.fixture
def net(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A module whose class can be imported until `forget` is called."""
    torch = pytest.importorskip("torch", reason="compares with PyTorch")
    Path("gone.py").write_text(MODULE.format(characters=CHARACTERS, K=K))
    monkeypatch.syspath_prepend(".")
    torch.manual_seed(5)
    yield importlib.import_module("gone").CharRNN
    forget()


def forget() -> None:
    Path("gone.py").unlink(missing_ok=True)
    sys.modules.pop("gone", None)
    importlib.invalidate_caches()


def theirs(module: Any) -> Any:
    torch = pytest.importorskip("torch", reason="compares with PyTorch")
    module.eval()
    with torch.no_grad():
        return module(torch.from_numpy(IDS)).log_softmax(-1).numpy()


def training(module: Any) -> Any:
    """A checkpoint with an optimizer after one step."""
    torch = pytest.importorskip("torch", reason="compares with PyTorch")
    optimizer = torch.optim.Adam(module.parameters())
    module.lstm.weight_hh_l0.sum().backward()
    optimizer.step()
    return {"optimizer": optimizer.state_dict(), "model": module.state_dict(), "epoch": 3}


def lightning(module: Any) -> Any:
    state = {f"net._orig_mod.{name}": tensor for name, tensor in module.state_dict().items()}
    return {"epoch": 1, "state_dict": state, "hyper_parameters": {"width": 6}, "pytorch-lightning_version": "2.5"}


def udacity(module: Any) -> Any:
    return {"n_hidden": 6, "n_layers": 2, "state_dict": module.state_dict(), "tokens": module.chars}


SAVED: dict[str, tuple[Any, bool, bool]] = {  # what is saved, whether it is trusted, whether the characters are in it
    "state": (lambda module: module.state_dict(), False, False),
    "training": (training, False, False),
    "lightning": (lightning, False, False),
    "udacity": (udacity, False, True),
    "module": (lambda module: module, True, True),
    "module in a dict": (lambda module: {"net": module, "epoch": 2}, True, True),
    "half": (lambda module: module.half().state_dict(), False, False),
    "double": (lambda module: module.double().state_dict(), False, False),
}


@pytest.mark.torch
@pytest.mark.parametrize(("legacy", "tied"), [(False, False), (True, True)], ids=["zip", "legacy and tied"])
@pytest.mark.parametrize("kind", SAVED)
def test_every_way_to_save_a_module(net: Any, capsysbinary: Any, kind: str, legacy: bool, tied: bool) -> None:
    torch = pytest.importorskip("torch", reason="compares with PyTorch")
    content, trusted, with_characters = SAVED[kind]
    module = net(tied)
    torch.save(content(module), "it's.pt", _use_new_zipfile_serialization=not legacy)
    expected = theirs(module.float())
    write_script("it's.pt", capsysbinary)
    forget()
    if trusted:
        assert "has more than tensors, numbers and text: reading it runs code" in run().refused
        assert not Path("it's.safetensors").exists()
    assert "it's.safetensors: " in run(*(["--trust"] if trusted else [])).written
    options: dict[str, Any] = {} if with_characters else {"vocabulary": "ids.json"}
    model = recurra.import_model("it's.safetensors", **options)
    np.testing.assert_allclose(ours(model), expected, rtol=0, atol=1e-5)


@pytest.mark.torch
def test_torchscript_module_is_converted(net: Any, capsysbinary: Any) -> None:
    torch = pytest.importorskip("torch", reason="compares with PyTorch")
    module = net().eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TorchScript is deprecated, and its files are still there
        torch.jit.trace(module, torch.from_numpy(IDS)).save("a.pt")
    write_script("a.pt", capsysbinary)
    assert run().refused == ""
    model = recurra.import_model("a.safetensors", vocabulary="ids.json")
    np.testing.assert_allclose(ours(model), theirs(module), rtol=0, atol=1e-5)


@pytest.mark.torch
def test_converter_refuses_file_without_named_tensors(capsysbinary: Any) -> None:
    torch = pytest.importorskip("torch", reason="compares with PyTorch")
    torch.save({"epoch": 3}, "a.pt")
    write_script("a.pt", capsysbinary)
    assert run().refused == "a.pt has no named tensors, so that it has no state_dict."


class Layer:
    """A layer with the settings and weights of Keras, in the shapes and orders of Keras."""

    def __init__(self, name: str, config: dict[str, Any], weights: list[Any]) -> None:
        self.name, self._config, self._weights = name, config, weights

    def get_config(self) -> dict[str, Any]:
        return self._config

    def get_weights(self) -> list[Any]:
        return self._weights


H, D = 4, 3
TANH = {"activation": "tanh", "recurrent_activation": "sigmoid", "reset_after": True}
RECURRENT = {"SimpleRNN": 1, "LSTM": 4, "GRU": 3}


def keras_layers(kind: str) -> list[tuple[str, dict[str, Any], list[Any]]]:
    """An embedding, two recurrent layers and a projection, as `get_config` and `get_weights` of Keras give them."""
    draw, columns = np.random.default_rng(9), RECURRENT[kind] * H
    layers: list[tuple[str, dict[str, Any], list[Any]]] = [("Embedding", {}, [draw.normal(size=(K, D))])]
    for inputs in (D, H):
        bias = draw.normal(0, 0.3, (2, columns) if kind == "GRU" else columns)
        weights = [draw.normal(0, 0.6, (inputs, columns)), draw.normal(0, 0.6, (H, columns)), bias]
        layers.append((kind, TANH, weights))
    layers.append(("Dropout", {"rate": 0.5}, []))
    return [*layers, ("Dense", {"activation": "softmax"}, [draw.normal(size=(H, K)), draw.normal(0, 0.3, K)])]


def sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def keras_step(kind: str, x: Any, h: Any, c: Any, weights: list[Any]) -> tuple[Any, Any]:
    """Compute one step as Keras documents it, with row vectors; the gates of a GRU are z, r and the candidate."""
    kernel, recurrent, bias = weights
    if kind == "SimpleRNN":
        return np.tanh(x @ kernel + h @ recurrent + bias), c
    if kind == "LSTM":
        i, f, g, o = np.split(x @ kernel + h @ recurrent + bias, 4)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        return sigmoid(o) * np.tanh(c), c
    (x_z, x_r, x_h), (h_z, h_r, h_h) = np.split(x @ kernel + bias[0], 3), np.split(h @ recurrent + bias[1], 3)
    z, candidate = sigmoid(x_z + h_z), np.tanh(x_h + sigmoid(x_r + h_r) * h_h)
    return z * h + (1 - z) * candidate, c


def keras_log_probabilities(layers: list[tuple[str, dict[str, Any], list[Any]]]) -> Any:
    recurrent = [layer for layer in layers if layer[0] in RECURRENT]
    state = [(np.zeros(H), np.zeros(H)) for _ in recurrent]
    rows = []
    for number in IDS:
        x = layers[0][2][0][number]
        for at, (kind, _, weights) in enumerate(recurrent):
            state[at] = keras_step(kind, x, *state[at], weights)
            x = state[at][0]
        kernel, bias = layers[-1][2]
        p = np.exp(x @ kernel + bias)
        rows.append(np.log(p / p.sum()))
    return np.array(rows)


@pytest.fixture
def keras(monkeypatch: pytest.MonkeyPatch) -> Callable[[list[tuple[str, dict[str, Any], list[Any]]]], str]:
    """Replace Keras by a small package; the script uses one function of Keras and two methods of layers."""

    def install(layers: list[tuple[str, dict[str, Any], list[Any]]]) -> str:
        made = [type(kind, (Layer,), {})(f"layer_{n}", *rest) for n, (kind, *rest) in enumerate(layers)]
        model = types.SimpleNamespace(layers=made, get_config=dict, get_weights=list)
        package = types.ModuleType("keras")
        package.models = types.SimpleNamespace(load_model=lambda file, compile: model)  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "keras", package)
        Path("my.h5").write_bytes(b"\x89HDF\r\n\x1a\n")
        return "my.h5"

    return install


@pytest.mark.parametrize("kind", RECURRENT)
def test_layers_of_keras_are_the_same_network(keras: Any, capsysbinary: Any, kind: str) -> None:
    """The script reorders gates and transposes matrices; the equations of Keras in NumPy give the expected values."""
    layers = keras_layers(kind)
    write_script(keras(layers), capsysbinary)
    assert run().refused == ""
    model = recurra.import_model("my.npz", vocabulary="ids.json")
    np.testing.assert_allclose(ours(model), keras_log_probabilities(layers), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("kind", "config", "words"),
    [
        ("GRU", TANH | {"reset_after": False}, "it was created with reset_after=False"),
        ("LSTM", TANH | {"recurrent_activation": "hard_sigmoid"}, "its gates are not sigmoids"),
        ("LSTM", TANH | {"activation": "relu"}, "its activation is relu"),
        ("SimpleRNN", TANH | {"go_backwards": True}, "it reads backwards"),
        ("Bidirectional", {}, "recurra has no such layer"),
        ("Dense", {"activation": "softmax"}, "it is the second dense layer"),
        ("Embedding", {}, "it is the second embedding"),
    ],
)
def test_layers_of_keras_that_would_be_another_network(
    keras: Any, capsysbinary: Any, kind: str, config: dict[str, Any], words: str
) -> None:
    layers = keras_layers(kind if kind in RECURRENT else "LSTM")
    changed = [(kind, config, layers[1][2]) if number == 2 else layer for number, layer in enumerate(layers)]
    write_script(keras(changed), capsysbinary)
    assert run().refused.endswith(f"cannot be imported: {words}.")


def test_the_scripts_are_python_of_every_supported_version() -> None:
    for text in converter.SCRIPTS.values():
        ast.parse(text.format(names="a"), feature_version=(3, 9))
