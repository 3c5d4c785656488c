"""Minibatch training equals the float64 reference for every cell, and its bits depend only on the shards."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from recurra.config import HYPERPARAMETERS, ModelConfig, TrainingConfig
from recurra.engines.batched import BatchedEngine, BatchedNetwork
from recurra.engines.engine import Start
from recurra.engines.parameter_layout import Layout, padded_size
from recurra.engines.reference import ReferenceEngine
from recurra.engines.sharding import default_shards, shard_bounds
from recurra.errors import NumericalError
from recurra.network import network
from recurra.network.cells import CELLS
from recurra.network.parameters import initialize
from recurra.system.random_streams import stream

K, M, T, B, N = 13, 19, 7, 11, 3
NETWORKS = [
    ModelConfig(cell=cell, activation=activation, layers=layers, hidden_size=M)
    for cell, spec in CELLS.items()
    for activation in spec.activations
    for layers in (1, 2)
]
by_network = pytest.mark.parametrize("config", NETWORKS, ids=lambda c: f"{c.cell}-{c.activation}-{c.layers}")


def settings(**changes: Any) -> TrainingConfig:
    plain: dict[str, Any] = {"sequence_length": T, "batch_size": B, "optimizer": "sgd", "clip_value": None, "shards": 2}
    return TrainingConfig(**(plain | changes))


def updates(
    count: int = N, steps: int = T, streams: int = B
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    ids = (stream(3, "ids").uniform(2 * count * steps * streams) * K).astype(np.int64)
    inputs, targets = ids.reshape(2, count, steps, streams)
    return inputs, targets, np.full(count, 0.01, np.float32)


def random_state(config: ModelConfig, streams: int = B) -> network.State:
    zeros = network.zero_state(config, streams)
    return type(zeros)(
        *(stream(4, name).normal(z.size).reshape(z.shape).clip(-0.9, 0.9) for name, z in zeros._asdict().items())
    )


def engines(config: ModelConfig, training: TrainingConfig) -> list[Any]:
    parameters = initialize(config, K, seed=1, scale=0.3)
    start = Start(parameters, state=random_state(config, training.batch_size))
    return [kind(config, training, start) for kind in (BatchedEngine, ReferenceEngine)]


@by_network
@pytest.mark.parametrize("changes", [{}, {"shards": 1, "clip_norm": 0.7}, {"shards": 3, "clip_value": 0.05}])
def test_updates_equal_the_reference(config: ModelConfig, changes: dict[str, Any]) -> None:
    training = settings(**changes)
    batched, reference = engines(config, training)
    actual, expected = batched.train(*updates()), reference.train(*updates())
    assert np.allclose(actual.losses, expected.losses, rtol=1e-5)
    assert np.allclose(actual.gradient_norms, expected.gradient_norms, rtol=1e-4)
    before = initialize(config, K, seed=1, scale=0.3)
    for name, array in reference.parameters().items():
        step = np.abs(array - before[name]).max()
        assert step > 0, name
        assert np.abs(batched.parameters()[name] - array).max() < 1e-4 * step + 2e-7, name
    for field, other in zip(batched.state(), reference.state(), strict=True):
        assert field.shape == other.shape
        assert np.allclose(field, other, atol=2e-5)


@by_network
def test_without_carry_updates_start_from_a_zero_state(config: ModelConfig) -> None:
    inputs, targets, rates = updates()
    for block, single in zip(engines(config, settings()), engines(config, settings()), strict=True):
        losses = block.train(inputs, targets, rates, carry=False).losses
        for i in range(N):
            single.zero_state()
            assert single.train(inputs[i : i + 1], targets[i : i + 1], rates[i : i + 1]).losses[0] == losses[i]
        assert all(np.array_equal(a, single.parameters()[name]) for name, a in block.parameters().items())
        assert all(np.array_equal(field, other) for field, other in zip(block.state(), single.state(), strict=True))


@by_network
def test_padding_and_fewer_steps_equal_the_reference(config: ModelConfig) -> None:
    inputs, targets, rates = updates(1, T - 2)
    targets = np.where(np.arange(T - 2)[:, np.newaxis] < np.arange(B) % (T - 1), targets, -1)  # of b: 0 to T - 2
    batched, reference = engines(config, settings(dropout=0.2))
    start = Start(initialize(config, K, seed=1, scale=0.3), state=random_state(config))
    shortened = BatchedEngine(config, settings(dropout=0.2, sequence_length=T - 2), start)
    actual, expected, exact = (e.train(inputs, targets, rates) for e in (batched, reference, shortened))
    assert actual.losses == exact.losses
    assert actual.losses == pytest.approx(expected.losses, rel=1e-5)
    assert actual.gradient_norms == pytest.approx(expected.gradient_norms, rel=1e-4)
    for name, array in reference.parameters().items():
        assert np.allclose(batched.parameters()[name], array, atol=1e-5), name
        assert np.array_equal(batched.parameters()[name], shortened.parameters()[name])
    other = np.where(targets < 0, (inputs + 1) % K, inputs)  # the inputs at padding do not matter
    again, _ = engines(config, settings(dropout=0.2))
    assert again.train(other, targets, rates).losses == actual.losses
    assert batched.train(*updates(1)).losses == pytest.approx(reference.train(*updates(1)).losses, rel=1e-5)


@pytest.mark.parametrize("share", [1, 0.5])
@pytest.mark.parametrize("optimizer", ["momentum", "nesterov", "adagrad", "rmsprop", "adam", "adamw"])
def test_every_optimizer_equals_the_reference(optimizer: str, share: float) -> None:
    hyper = {name: share * usual for name, usual in HYPERPARAMETERS[optimizer].items()}
    config = ModelConfig(cell="gru", hidden_size=M)
    batched, reference = engines(config, settings(optimizer=optimizer, **hyper))
    for engine in (batched, reference):
        engine.train(*updates(2))
    assert set(batched.optimizer_state()) == set(reference.optimizer_state())
    for name, array in reference.optimizer_state().items():
        assert np.allclose(batched.optimizer_state()[name], array, rtol=1e-3, atol=1e-5), name
    for name, array in reference.parameters().items():
        assert np.allclose(batched.parameters()[name], array, atol=2e-3), name


@by_network
def test_number_of_threads_does_not_change_the_bits(config: ModelConfig) -> None:
    actual = []
    for threads in (1, 2, 3):
        engine, _ = engines(config, settings(threads=threads, shards=3, dropout=0.3))
        losses = engine.train(*updates()).losses
        actual.append((losses.tobytes(), {n: a.tobytes() for n, a in engine.parameters().items()}))
    assert actual[0] == actual[1] == actual[2]


@by_network
def test_resumed_engine_continues_with_the_same_bits(config: ModelConfig) -> None:
    training = settings(optimizer="adam", dropout=0.2)
    inputs, targets, rates = updates(5)
    unbroken, _ = engines(config, training)
    unbroken.train(inputs, targets, rates)
    first, _ = engines(config, training)
    first.train(inputs[:2], targets[:2], rates[:2])
    start = Start(first.parameters(), first.optimizer_state(), first.state(), updates_done=2)
    second = BatchedEngine(config, training, start)
    second.train(inputs[2:], targets[2:], rates[2:])
    for name, array in unbroken.parameters().items():
        assert np.array_equal(array, second.parameters()[name]), name


@by_network
def test_reading_equals_the_reference_and_single_steps(config: ModelConfig) -> None:
    parameters = initialize(config, K, seed=1, scale=0.3)
    state = random_state(config, 1)
    ids = (stream(5, "ids").uniform(23) * K).astype(np.int64)
    trained = BatchedNetwork(config, parameters)
    whole, final = trained.log_probabilities(ids, state)
    expected = network.forward(config, parameters, ids[:, np.newaxis], state)
    assert np.allclose(whole, expected.log_probabilities[:, 0], atol=1e-5)
    rows = []
    for k in range(len(ids)):
        row, state = trained.log_probabilities(ids[k : k + 1], state)
        rows.append(row[0])
    assert np.array_equal(whole, np.array(rows))
    for field, other in zip(final, state, strict=True):
        assert np.array_equal(field, other)


def test_dropout_depends_on_the_update_and_the_seed() -> None:
    config = NETWORKS[5]
    losses = []
    for seed, done in ((0, 0), (0, 1), (1, 0)):
        start = Start(initialize(config, K, seed=1, scale=0.3), updates_done=done)
        engine = BatchedEngine(config, settings(dropout=0.5, seed=seed), start)
        losses.append(engine.train(*updates(1)).losses[0])
    assert len(set(losses)) == 3


def test_other_streams_do_not_change_the_loss() -> None:
    config = NETWORKS[4]
    inputs, targets, rates = updates(1)
    parameters = initialize(config, K, seed=1, scale=0.3)
    whole = BatchedEngine(config, settings(), Start(parameters)).train(inputs, targets, rates).losses[0]
    alone = [
        BatchedEngine(config, settings(batch_size=1, shards=1), Start(parameters))
        .train(inputs[:, :, s : s + 1], targets[:, :, s : s + 1], rates)
        .losses[0]
        for s in range(B)
    ]
    assert whole == pytest.approx(sum(alone), rel=1e-12)


@pytest.mark.parametrize("place", ["layers.0.W", "V"])
def test_nan_raises_at_its_update(place: str) -> None:
    config = NETWORKS[4]
    parameters = initialize(config, K, seed=1, scale=0.3)
    parameters[place][0, 0] = np.nan
    engine = BatchedEngine(config, settings(), Start(parameters, updates_done=9))
    with pytest.raises(NumericalError, match="the loss became nan at update 10; it must be finite") as caught:
        engine.train(*updates(1))
    assert caught.value.update == 10


def test_padding_stays_zero() -> None:
    config = ModelConfig(cell="lstm", hidden_size=M, layers=2)
    engine, _ = engines(config, settings(optimizer="adam"))
    engine.train(*updates())
    flat = engine._flat
    again = Layout(config, K).pack(engine.parameters())
    again[flat < -1e29] = flat[flat < -1e29]  # the output bias of padding symbols
    assert np.array_equal(flat, again)


@pytest.mark.parametrize(("batch", "shards"), [(1, 1), (31, 1), (32, 2), (50, 2), (64, 4), (127, 4), (1000, 8)])
def test_default_shards(batch: int, shards: int) -> None:
    assert default_shards(batch) == shards


@pytest.mark.parametrize(
    ("batch", "shards", "bounds"),
    [(50, 3, [0, 16, 32, 50]), (64, 4, [0, 16, 32, 48, 64]), (5, 2, [0, 2, 5]), (2, 5, [0, 1, 2])],
)
def test_bounds_of_shards(batch: int, shards: int, bounds: list[int]) -> None:
    assert shard_bounds(batch, shards) == bounds


def test_sizes_are_padded_to_sixteen() -> None:
    assert [padded_size(n) for n in (1, 16, 17, 100)] == [16, 16, 32, 112]


@pytest.mark.parametrize("cell", CELLS)
def test_returned_arrays_are_copies(cell: str) -> None:
    config, training = ModelConfig(cell=cell, hidden_size=16), TrainingConfig(batch_size=2, optimizer="adam", ema=0.5)
    engine = BatchedEngine(config, training, Start(initialize(config, 16, seed=0)))
    arrays = [*engine.parameters().values(), *engine.optimizer_state().values(), *engine.state()]
    buffers = [engine._flat, *engine._optimizer.state.values(), *(layer.states.h for layer in engine._shards[0].layers)]
    assert not any(np.shares_memory(array, other) for array in arrays for other in buffers)
