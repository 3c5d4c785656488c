"""Exports in PyTorch compute the same numbers as recurra; imports of PyTorch modules compute the same as PyTorch."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import recurra
from networks import CONFIGS, bible_ids, bible_log_probabilities, make, name_of, of_bible, same, small
from recurra.config import ModelConfig
from recurra.interop import model_card
from recurra.interop.torch_state import to_state
from recurra.text.vocabulary import Vocabulary

pytestmark = pytest.mark.torch
torch: Any = pytest.importorskip("torch", reason="compares with PyTorch")
safetensors_torch: Any = pytest.importorskip("safetensors.torch")
KINDS = {"elman": torch.nn.RNN, "lstm": torch.nn.LSTM, "gru": torch.nn.GRU}


def module_of(config: ModelConfig, inputs: int) -> Any:
    options = {"nonlinearity": config.activation} if config.cell == "elman" else {}
    return KINDS[config.cell](inputs, config.hidden_size, config.layers, **options)


def log_probabilities(rnn: Any, output: Any, ids: Any, K: int) -> Any:
    with torch.no_grad():
        h, _ = rnn(torch.nn.functional.one_hot(torch.from_numpy(ids), K).float())
        return output(h).log_softmax(-1).numpy()


@pytest.mark.parametrize("config", CONFIGS, ids=name_of)
def test_pytorch_computes_the_same_log_p_of_10000_characters(config: ModelConfig, tmp_path: Path) -> None:
    model = of_bible(config)
    path = recurra.export(model, tmp_path / "a.safetensors", format="torch")
    tensors = safetensors_torch.load_file(path)
    K = len(model.vocabulary)
    rnn, output = module_of(config, K), torch.nn.Linear(config.hidden_size, K)
    parts: dict[str, dict[str, Any]] = {"rnn": {}, "output": {}}
    for name, tensor in tensors.items():
        module, _, local_name = name.partition(".")
        parts[module][local_name] = tensor
    assert str(rnn.load_state_dict(parts["rnn"], strict=True)) == "<All keys matched successfully>"
    assert str(output.load_state_dict(parts["output"], strict=True)) == "<All keys matched successfully>"
    result, expected = log_probabilities(rnn, output, bible_ids()[:-1], K), bible_log_probabilities(config)
    assert result.shape == expected.shape == (10_000, K)
    np.testing.assert_allclose(result, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("config", CONFIGS, ids=name_of)
def test_code_of_the_model_card_runs(config: ModelConfig, tmp_path: Path) -> None:
    model = of_bible(config)
    folder = recurra.export(model, tmp_path / "model")
    printed = (folder / "README.md").read_text(encoding="utf-8").partition("```python\n")[2].partition("\n```")[0]
    assert len(printed.splitlines()) == 10
    names: dict[str, Any] = {}
    here = Path.cwd()
    os.chdir(folder)
    try:
        exec(printed, names)  # noqa: S102 - what a reader of the card would run
    finally:
        os.chdir(here)
    module, K = names["model"], len(model.vocabulary)
    assert list(names["vocabulary"].values()) == list(range(K))
    result = log_probabilities(module["rnn"], module["output"], bible_ids()[:-1], K)
    np.testing.assert_allclose(result, bible_log_probabilities(config), rtol=0, atol=1e-5)


@pytest.mark.parametrize("is_bytes", [False, True])
def test_code_of_the_model_card_prints_text(is_bytes: bool, tmp_path: Path) -> None:
    """Use a network that has memorized one text, so that it generates this text with any random numbers."""
    vocabulary = Vocabulary.bytes() if is_bytes else Vocabulary.of("\né")
    line = "é\n".encode() if is_bytes else "é\n"
    model = make(ModelConfig(hidden_size=len(vocabulary)), vocabulary)
    symbols = line.decode("latin-1") if isinstance(line, bytes) else line
    ids = vocabulary.encode(symbols)
    parameters = {name: np.zeros_like(array) for name, array in model.parameters.items()}
    parameters["layers.0.U"] += np.eye(len(vocabulary), dtype=np.float32) * 50
    parameters["c"][:] = -1e4
    for now, then in zip(ids, [*ids[1:], ids[0]], strict=True):
        parameters["V"][then, now] = 2e4
    model = model.with_parameters(parameters)
    folder = recurra.export(model, tmp_path / "model")
    (tmp_path / "card.py").write_text(model_card.code(model), encoding="utf-8")
    environment = os.environ | {"PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(
        [sys.executable, "-W", "error", tmp_path / "card.py"],
        cwd=folder, capture_output=True, check=True, env=environment,
    )  # fmt: skip
    written = symbols * (200 // len(symbols) + 1)
    assert done.stdout == written[:200].encode("latin-1" if is_bytes else "utf-8")


class CharRNN(torch.nn.Module):
    """A usual network: an embedding, recurrent layers and a decoder."""

    def __init__(self, config: ModelConfig, K: int, width: int) -> None:
        super().__init__()
        self.encoder = torch.nn.Embedding(K, width)
        self.layers = module_of(config, width)
        self.dropout = torch.nn.Dropout(0.5)
        self.decoder = torch.nn.Linear(config.hidden_size, K)


@pytest.mark.parametrize("config", CONFIGS, ids=name_of)
def test_network_of_another_program_is_imported(config: ModelConfig, tmp_path: Path) -> None:
    """PyTorch's initialization sets both biases; the ids have the arbitrary order of a set."""
    torch.manual_seed(4)
    symbols = "hello wrd\n"
    alphabet = "".join(dict.fromkeys(symbols))
    other = CharRNN(config, len(alphabet), 6)
    safetensors_torch.save_file(other.state_dict(), tmp_path / "theirs.safetensors")
    (tmp_path / "ids.json").write_text(f"{ {character: i for i, character in enumerate(alphabet)} }".replace("'", '"'))
    model = recurra.import_model(
        tmp_path / "theirs.safetensors", vocabulary=tmp_path / "ids.json", activation=config.activation
    )
    assert model.config == config
    assert model.vocabulary == Vocabulary.of(alphabet)
    text = "held low\nwed hell" * 5
    ids = torch.tensor([alphabet.index(character) for character in text])
    with torch.no_grad():
        result = other.decoder(other.layers(other.encoder(ids))[0]).log_softmax(-1).numpy()
    expected = model.reader.log_probabilities(model.vocabulary.encode(text), model.zero_state())[0]
    order = [alphabet.index(character) for character in model.vocabulary.symbols]
    np.testing.assert_allclose(expected, result[:, order], rtol=0, atol=1e-5)


def test_load_and_save_in_pytorch_gives_same_bits(tmp_path: Path) -> None:
    config = ModelConfig(cell="gru", hidden_size=5, layers=2)
    model = small(config)
    tensors = {name: torch.from_numpy(array.copy()) for name, array in to_state(config, model.parameters).items()}
    module = torch.nn.ModuleDict({"rnn": module_of(config, 8), "output": torch.nn.Linear(5, 8)})
    module.load_state_dict(tensors)
    safetensors_torch.save_file(module.state_dict(), tmp_path / "a.safetensors")
    (tmp_path / "text").write_text(model.vocabulary.symbols[::-1], encoding="utf-8")
    assert same(recurra.import_model(tmp_path / "a.safetensors", sources=tmp_path / "text"), model)


def test_pickle_of_pytorch_is_rejected(tmp_path: Path) -> None:
    torch.save(torch.nn.RNN(3, 4).state_dict(), tmp_path / "a.pt")
    with pytest.raises(recurra.ModelError, match="is a pickle of PyTorch, which recurra does not read"):
        recurra.import_model(tmp_path / "a.pt")
    torch.save(torch.nn.RNN(3, 4).state_dict(), tmp_path / "b.pt", _use_new_zipfile_serialization=False)
    with pytest.raises(recurra.ModelError, match="is a pickle of PyTorch, which recurra does not read"):
        recurra.import_model(tmp_path / "b.pt")


def test_bfloat16_is_an_error(tmp_path: Path) -> None:
    tensors = {name: tensor.bfloat16() for name, tensor in torch.nn.RNN(3, 4).state_dict().items()}
    safetensors_torch.save_file(tensors, tmp_path / "a.safetensors")
    with pytest.raises(recurra.ModelError, match="has numbers of an unsupported type: 'BF16'"):
        recurra.import_model(tmp_path / "a.safetensors")
