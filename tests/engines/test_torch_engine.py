"""Engine `torch` has the losses of the compiled engine and the updates of the reference; every engine can resume."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest

from recurra import engines
from recurra.config import HYPERPARAMETERS, ModelConfig, TrainingConfig
from recurra.engines import torch_device
from recurra.engines.engine import Start
from recurra.errors import NumericalError, UsageError
from recurra.network import network
from recurra.network.cells import CELLS
from recurra.network.parameters import initialize
from recurra.system.random_streams import stream

needs_torch = pytest.mark.torch
K, M, T, B = 13, 19, 7, 16
NETWORKS = [
    ModelConfig(cell=cell, activation=activation, layers=layers, hidden_size=M)
    for cell, spec in CELLS.items()
    if spec.torch is not None
    for activation in spec.activations
    for layers in (1, 2)
]
by_network = pytest.mark.parametrize("config", NETWORKS, ids=lambda c: f"{c.cell}-{c.activation}-{c.layers}")


@pytest.fixture(autouse=True)
def _torch(request: pytest.FixtureRequest) -> None:
    if "torch" in request.keywords:
        pytest.importorskip("torch", reason="engine torch is an extra: pip install 'recurra[torch]'")


def settings(**changes: Any) -> TrainingConfig:
    plain: dict[str, Any] = {
        "sequence_length": T, "batch_size": B, "optimizer": "sgd", "clip_value": None, "threads": 1
    }  # fmt: skip
    return TrainingConfig(**(plain | changes))


def updates(count: int = 3, steps: int = T, rate: float = 0.01, streams: int = B) -> tuple[Any, Any, Any]:
    """Return texts that can be learned: the next id is often the sum of the last two ids."""
    ids = (stream(3, "ids").uniform(count * steps * streams + 1) ** 2 * K).astype(np.int64)
    ids[2:] = np.where(stream(4, "kept").uniform(len(ids) - 2) < 0.7, (ids[1:-1] + ids[:-2]) % K, ids[2:])
    shape = (count, steps, streams)
    return ids[:-1].reshape(shape), ids[1:].reshape(shape), np.full(count, rate, np.float32)


def random_state(config: ModelConfig, streams: int = B) -> Any:
    zeros = network.zero_state(config, streams)
    return type(zeros)(
        *(stream(4, name).normal(z.size).reshape(z.shape).clip(-0.9, 0.9) for name, z in zeros._asdict().items())
    )


def pair(config: ModelConfig, training: TrainingConfig, other: str = "reference") -> list[Any]:
    """Return the torch engine and another engine, with the same parameters and state."""
    parameters = initialize(config, K, seed=1, scale=0.3)
    start = Start(parameters, state=random_state(config, training.batch_size))
    changed = (TrainingConfig(**training.to_table() | {"engine": name, **_none(training)}) for name in ("torch", other))
    return [engines.create(config, variant, start) for variant in changed]


def arrays_of(engine: Any, updates_done: int) -> Start:
    """Return the arrays from which another engine can resume."""
    return Start(engine.parameters(), engine.optimizer_state(), engine.state(), updates_done)


def _none(training: TrainingConfig) -> dict[str, None]:
    return {name: None for name in training.to_table() if getattr(training, name) is None}


@needs_torch
@by_network
def test_hundred_losses_equal_the_compiled_engine(config: ModelConfig) -> None:
    training = settings(optimizer="adam", clip_norm=5.0, clip_value=1.0, dropout=0.2, ema=0.9)
    parameters = initialize(config, K, seed=5, scale=None)
    named = [TrainingConfig(**training.to_table() | {"engine": name, **_none(training)}) for name in ("torch", "auto")]
    torch_engine, compiled = (engines.create(config, training, Start(parameters)) for training in named)
    given = updates(100, rate=5e-3)
    actual, expected = torch_engine.train(*given), compiled.train(*given)
    assert np.abs(actual.losses - expected.losses).max() / (T * B) < 1e-4
    assert np.allclose(actual.gradient_norms, expected.gradient_norms, rtol=1e-3)
    assert expected.losses[-1] < 0.98 * expected.losses[0]
    for name, array in compiled.optimizer_state().items():
        assert np.allclose(torch_engine.optimizer_state()[name], array, rtol=1e-3, atol=1e-3), name


@needs_torch
@by_network
@pytest.mark.parametrize("changes", [{}, {"clip_norm": 0.7, "dropout": 0.3}, {"clip_value": 0.05}], ids=str)
def test_updates_equal_the_reference(config: ModelConfig, changes: dict[str, Any]) -> None:
    torch_engine, reference = pair(config, settings(**changes))
    actual, expected = torch_engine.train(*updates()), reference.train(*updates())
    assert np.allclose(actual.losses, expected.losses, rtol=1e-6)
    assert np.allclose(actual.gradient_norms, expected.gradient_norms, rtol=1e-5)
    before = initialize(config, K, seed=1, scale=0.3)
    for name, array in reference.parameters().items():
        step = np.abs(array - before[name]).max()
        assert step > 0, name
        assert torch_engine.parameters()[name].dtype == np.float32
        assert np.abs(torch_engine.parameters()[name] - array).max() < 1e-4 * step + 2e-7, name
    for mine, other in zip(torch_engine.state(), reference.state(), strict=True):
        assert mine.shape == other.shape
        assert np.allclose(mine, other, atol=1e-5)


@needs_torch
@by_network
def test_padding_and_zero_states_equal_the_reference(config: ModelConfig) -> None:
    inputs, targets, rates = updates(2, T - 2)
    targets = np.where(np.arange(T - 2)[:, np.newaxis] < np.arange(B) % (T - 1), targets, -1)  # of b: 0 to T - 2
    torch_engine, reference = pair(config, settings())
    for carry in (False, True):
        actual, expected = (engine.train(inputs, targets, rates, carry=carry) for engine in (torch_engine, reference))
        assert np.allclose(actual.losses, expected.losses, rtol=1e-6)
        assert np.allclose(actual.gradient_norms, expected.gradient_norms, rtol=1e-5)
    for engine in (torch_engine, reference):
        engine.zero_state()
        assert not np.any(engine.state().h)
    assert torch_engine.train(*updates(1)).losses == pytest.approx(reference.train(*updates(1)).losses, rel=1e-6)


@needs_torch
@pytest.mark.parametrize("share", [1, 0.5])
@pytest.mark.parametrize("optimizer", ["momentum", "nesterov", "adagrad", "rmsprop", "adam", "adamw"])
def test_every_optimizer_equals_the_reference(optimizer: str, share: float) -> None:
    hyper = {name: share * usual for name, usual in HYPERPARAMETERS[optimizer].items()}
    torch_engine, reference = pair(
        ModelConfig(cell="gru", hidden_size=M), settings(optimizer=optimizer, ema=0.7, **hyper)
    )
    for engine in (torch_engine, reference):
        engine.train(*updates(2))
    assert list(torch_engine.optimizer_state()) == list(reference.optimizer_state())
    for name, array in reference.optimizer_state().items():
        assert np.allclose(torch_engine.optimizer_state()[name], array, rtol=1e-3, atol=1e-5), name
    for name, array in reference.parameters().items():
        assert np.allclose(torch_engine.parameters()[name], array, atol=2e-3), name


@needs_torch
def test_single_updates_of_preset_classic() -> None:
    config, training = ModelConfig(hidden_size=M), TrainingConfig(sequence_length=25)
    compiled = engines.create(config, training, Start(initialize(config, K, seed=0)))
    inputs, targets, rates = updates(400, 25, 0.1, 1)
    for left, done in ((0, 0), (10, 10), (290, 300)):
        compiled.train(inputs[:left], targets[:left], rates[:left])
        start = arrays_of(compiled, done)
        torch_engine = engines.create(config, TrainingConfig(sequence_length=25, engine="torch", threads=1), start)
        other = engines.create(config, training, start)
        one = slice(done, done + 1)
        actual, expected = (e.train(inputs[one], targets[one], rates[one]) for e in (torch_engine, other))
        assert actual.losses == pytest.approx(expected.losses, rel=1e-6)
        assert actual.gradient_norms == pytest.approx(expected.gradient_norms, rel=1e-5)
        for name, array in other.parameters().items():
            # The first step of AdaGrad is the rate times the sign of the gradient. If a gradient is nearly zero, the
            # engines may disagree about its sign.
            apart = np.abs(torch_engine.parameters()[name] - array)
            assert np.mean(apart > 1e-5) < (0.01 if done == 0 else 1e-9), name


@needs_torch
@by_network
def test_resumed_engine_continues_with_the_same_bits(config: ModelConfig) -> None:
    training = settings(optimizer="adam", dropout=0.2, ema=0.9, engine="torch")
    inputs, targets, rates = updates(5)
    parameters = initialize(config, K, seed=1, scale=0.3)
    unbroken, first = (engines.create(config, training, Start(parameters)) for _ in range(2))
    unbroken.train(inputs, targets, rates)
    first.train(inputs[:2], targets[:2], rates[:2])
    second = engines.create(config, training, arrays_of(first, 2))
    second.train(inputs[2:], targets[2:], rates[2:])
    for name, array in {**unbroken.parameters(), **unbroken.optimizer_state()}.items():
        assert np.array_equal(array, {**second.parameters(), **second.optimizer_state()}[name]), name


@needs_torch
def test_returned_arrays_are_copies() -> None:
    torch_engine, _ = pair(ModelConfig(cell="lstm", hidden_size=M), settings(optimizer="momentum"))
    torch_engine.train(*updates(1))
    given = [torch_engine.parameters(), torch_engine.optimizer_state(), torch_engine.state()._asdict()]
    copies = [{name: array.copy() for name, array in arrays.items()} for arrays in given]
    torch_engine.train(*updates(2))
    for arrays, copied in zip(given, copies, strict=True):
        assert all(np.array_equal(array, copied[name]) for name, array in arrays.items())


@needs_torch
@pytest.mark.parametrize("clip", [{}, {"clip_value": 5.0}, {"clip_norm": 1.0}], ids=str)
def test_infinity_raises_at_its_update_with_its_name(clip: dict[str, float]) -> None:
    config = ModelConfig(hidden_size=M, activation="relu", layers=2)
    parameters = initialize(config, K, seed=1, scale=0.3)
    parameters["layers.0.W"] = np.full_like(parameters["layers.0.W"], 1e10)
    torch_engine = engines.create(config, settings(engine="torch", **clip), Start(parameters, updates_done=7))
    with pytest.raises(NumericalError, match=r"the loss became (nan|inf) at update 8") as caught:
        torch_engine.train(*updates(2))
    assert (caught.value.update, caught.value.tensor) == (8, "loss")
    parameters = initialize(config, K, seed=1, scale=0.3) | {"V": np.full((K, M), 1e30, np.float32)}
    parameters["layers.1.U"] = np.full((M, M), 1e-30, np.float32)
    parameters["layers.1.W"] = np.zeros((M, M), np.float32)
    parameters["layers.0.W"] = np.full((M, M), 1e3, np.float32)
    actual = []
    for name in ("torch", "auto"):
        engine = engines.create(config, settings(engine=name, **clip), Start(parameters, updates_done=7))
        with pytest.raises(NumericalError, match=r"the gradient of `layers.\d.\w+` became \S+ at update 8") as caught:
            engine.train(*updates(2))
        actual.append(caught.value.tensor)
    assert actual[0] == actual[1]


@needs_torch
def test_settings_of_pytorch_are_restored() -> None:
    import torch

    torch.set_num_threads(2)
    before = torch.backends.cudnn.allow_tf32
    torch_engine, _ = pair(ModelConfig(hidden_size=M), settings(threads=1))
    torch_engine.train(*updates(1))
    assert (torch.get_num_threads(), torch.backends.cudnn.allow_tf32) == (2, before)


@needs_torch
def test_missing_gpu_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UsageError, match=r"`device` is `cuda`, but no GPU can be used: PyTorch .+") as caught:
        pair(ModelConfig(), settings(engine="torch", device="cuda"), "torch")
    assert "--device auto" in str(caught.value.hint)
    assert (
        engines.create(ModelConfig(), settings(engine="torch"), Start(initialize(ModelConfig(), K, seed=0))).device
        == "cpu"
    )
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert [torch_device.select_device(name).type for name in ("auto", "cpu", "cuda")] == ["cuda", "cpu", "cuda"]
    assert torch_device.select_device("cuda", 1) == torch.device("cuda:1")
    with pytest.raises(UsageError, match="process 2 of this machine has no GPU; number of GPUs: 2") as caught:
        torch_device.select_device("auto", 2)
    assert "--nproc-per-node gpu" in str(caught.value.hint)


def test_missing_pytorch_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(UsageError, match=r"engine `torch` needs PyTorch, which cannot be imported: .*torch") as caught:
        engines.create(ModelConfig(), settings(engine="torch"), Start(initialize(ModelConfig(), K, seed=0)))
    assert caught.value.hint == "pip install 'recurra[torch]'"


def test_only_engine_torch_accepts_a_gpu() -> None:
    with pytest.raises(UsageError, match="`device` must be auto or cpu with engine compiled; got 'cuda'"):
        TrainingConfig(engine="compiled", device="cuda")
    with pytest.raises(UsageError, match="`device` must be one of auto, cpu, cuda; got 'tpu'"):
        TrainingConfig(device="tpu")
