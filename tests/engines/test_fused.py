"""The fused engine equals the float64 reference within float32, and has the same bits in all modes."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from recurra import engines
from recurra.config import ModelConfig, TrainingConfig
from recurra.engines.batched import BatchedEngine, BatchedNetwork
from recurra.engines.engine import Start
from recurra.engines.fused import FusedEngine, Tiling
from recurra.engines.reference import ReferenceEngine
from recurra.errors import NumericalError
from recurra.network import network
from recurra.network.parameters import initialize
from recurra.system.random_streams import stream

K, M, T = 13, 22, 9
CONFIG = ModelConfig(hidden_size=M)
TRAINING = TrainingConfig(sequence_length=T)


def random_ids(count: int, symbols: int = K, name: str = "ids") -> NDArray[np.int64]:
    return (stream(3, name).uniform(count) * symbols).astype(np.int64)


def updates(
    count: int, steps: int = T, symbols: int = K, name: str = "ids"
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    ids = random_ids(count * steps + 1, symbols, name)
    return ids[:-1].reshape(count, steps, 1), ids[1:].reshape(count, steps, 1), np.full(count, 0.1, np.float32)


def new_engine(kind: type[Any] = FusedEngine, training: TrainingConfig = TRAINING, **named: Any) -> Any:
    return kind(CONFIG, training, Start(initialize(CONFIG, K, seed=1, scale=0.3), **named))


def fused_gradients(
    config: ModelConfig,
    parameters: dict[str, NDArray[Any]],
    state: network.State,
    inputs: NDArray[np.int64],
    targets: NDArray[np.int64],
) -> tuple[Any, dict[str, NDArray[np.float64]]]:
    """Return the gradients, from one update: with s = 1e8 and rate 1e4, AdaGrad subtracts the gradient itself."""
    steps = len(inputs)
    training = TrainingConfig(sequence_length=steps, clip_value=None)
    squares = {f"squares.{name}": np.full_like(array, 1e8) for name, array in parameters.items()}
    engine = FusedEngine(config, training, Start(parameters, squares, state))
    result = engine.train(inputs[np.newaxis], targets[np.newaxis], np.full(1, 1e4, np.float32))
    after = engine.parameters()
    return result, {name: parameters[name].astype(np.float64) - after[name] for name in parameters}


@pytest.mark.parametrize(
    ("hidden", "symbols", "steps"), [(22, 13, 9), (100, 78, 25), (1, 2, 1), (130, 35, 4), (17, 3, 40)]
)
def test_gradients_of_one_update_equal_the_reference(hidden: int, symbols: int, steps: int) -> None:
    config = ModelConfig(hidden_size=hidden)
    engine = FusedEngine(
        config,
        TrainingConfig(sequence_length=steps),
        Start(
            initialize(config, symbols, seed=1, scale=0.1),
            state=network.State(h=stream(1, "h").normal(hidden).reshape(1, 1, hidden).clip(-0.9, 0.9)),
        ),
    )
    inputs, targets, rates = updates(1001, steps, symbols)
    done = 0
    for count in (0, 1, 2, 10, 100, 1000):
        engine.train(inputs[done:count], targets[done:count], rates[done:count])
        done = count
        parameters, state = engine.parameters(), engine.state()
        assert np.abs(state.h).max() > 1e-3
        result, actual = fused_gradients(config, parameters, state, inputs[count], targets[count])
        loss, expected, _ = network.loss_and_gradients(config, parameters, inputs[count], targets[count], state)
        assert result.losses[0] == pytest.approx(loss, rel=1e-5)
        for name, gradient in actual.items():
            largest = np.abs(expected[name]).max()
            assert largest > 0, name
            assert np.abs(gradient - expected[name]).max() < 1e-4 * largest + 1e-6, (count, name)
        norm = np.sqrt(sum(np.sum(expected[name] ** 2) for name in actual))
        assert result.gradient_norms[0] == pytest.approx(norm, rel=1e-4)


def test_update_with_clipping_equals_the_reference() -> None:
    training = TrainingConfig(sequence_length=T, clip_value=0.05)
    inputs, targets, rates = updates(1)
    fused, reference = new_engine(training=training), new_engine(ReferenceEngine, training)
    for engine in (fused, reference):
        engine.train(inputs, targets, rates)
    for name, array in reference.parameters().items():
        assert np.allclose(fused.parameters()[name], array, atol=5e-5), name
    for name, array in reference.optimizer_state().items():
        assert np.allclose(fused.optimizer_state()[name], array, rtol=2e-3, atol=1e-7), name
    assert np.allclose(fused.state().h, reference.state().h, atol=1e-5)


def test_block_size_does_not_change_the_bits() -> None:
    inputs, targets, rates = updates(30)
    whole, parts = new_engine(), new_engine()
    losses = whole.train(inputs, targets, rates).losses
    pieces = [parts.train(inputs[i:j], targets[i:j], rates[i:j]).losses for i, j in ((0, 1), (1, 12), (12, 30))]
    assert np.array_equal(losses, np.concatenate(pieces))
    assert all(np.array_equal(a, parts.parameters()[name]) for name, a in whole.parameters().items())


@pytest.mark.parametrize("kind", [FusedEngine, BatchedEngine, ReferenceEngine])
def test_without_carry_updates_start_from_a_zero_state(kind: type[Any]) -> None:
    inputs, targets, rates = updates(6)
    before = network.State(h=np.full((1, 1, M), 0.5))
    block, single = (new_engine(kind, state=before) for _ in range(2))
    losses = block.train(inputs, targets, rates, carry=False).losses
    for i in range(6):
        single.zero_state()
        assert single.train(inputs[i : i + 1], targets[i : i + 1], rates[i : i + 1]).losses[0] == losses[i]
    assert all(np.array_equal(a, single.parameters()[name]) for name, a in block.parameters().items())
    assert np.array_equal(block.state().h, single.state().h)
    carried = new_engine(kind, state=before).train(inputs, targets, rates).losses
    assert not np.any(carried == losses)


def test_shorter_sequences_in_a_larger_workspace_same_bits() -> None:
    inputs, targets, rates = updates(6, steps=4)
    long = new_engine()
    long.train(*updates(2))
    start = Start(long.parameters(), long.optimizer_state(), long.state())
    short = FusedEngine(CONFIG, TrainingConfig(sequence_length=4), start)
    actual, expected = long.train(inputs, targets, rates), short.train(inputs, targets, rates)
    assert np.array_equal(actual.losses, expected.losses)
    assert np.array_equal(actual.gradient_norms, expected.gradient_norms)
    assert all(np.array_equal(a, short.parameters()[name]) for name, a in long.parameters().items())
    assert np.array_equal(long.state().h, short.state().h)


def test_resumed_engine_continues_with_the_same_bits() -> None:
    inputs, targets, rates = updates(20)
    unbroken, first = new_engine(), new_engine()
    unbroken.train(inputs, targets, rates)
    first.train(inputs[:7], targets[:7], rates[:7])
    second = FusedEngine(CONFIG, TRAINING, Start(first.parameters(), first.optimizer_state(), first.state()))
    second.train(inputs[7:], targets[7:], rates[7:])
    for name, array in unbroken.parameters().items():
        assert np.array_equal(array, second.parameters()[name]), name


def test_update_changes_only_the_rows_of_u_that_were_read() -> None:
    inputs, targets, rates = updates(1)
    engine = new_engine()
    before = engine.parameters()["layers.0.U"]
    engine.train(inputs, targets, rates)
    changed = np.abs(engine.parameters()["layers.0.U"] - before).max(axis=0) > 0
    assert set(np.flatnonzero(changed)) == set(inputs.ravel().tolist())


def test_ten_golden_losses() -> None:
    inputs, targets, rates = updates(10)
    losses = new_engine().train(inputs, targets, rates).losses
    assert [loss.hex() for loss in losses.tolist()] == GOLDEN


@pytest.mark.parametrize(
    ("hidden", "symbols", "steps"), [(22, 13, 9), (100, 78, 25), (130, 35, 4), (1, 2, 1), (17, 300, 6)]
)
def test_same_bits_as_the_batched_engine(hidden: int, symbols: int, steps: int) -> None:
    config, training = ModelConfig(hidden_size=hidden), TrainingConfig(sequence_length=steps)
    start = Start(initialize(config, symbols, seed=1, scale=0.3))
    inputs, targets, rates = updates(6, steps, symbols)
    fused, batched = FusedEngine(config, training, start), BatchedEngine(config, training, start)
    for carry in (True, False):
        losses, expected = (engine.train(inputs, targets, rates, carry=carry).losses for engine in (fused, batched))
        assert np.array_equal(losses, expected)
    for name, array in fused.parameters().items():
        assert np.array_equal(array, batched.parameters()[name]), name
    for name, array in fused.optimizer_state().items():
        assert np.array_equal(array, batched.optimizer_state()[name]), name
    assert np.array_equal(fused.state().h, batched.state().h)


def test_log_probabilities_equal_the_reference() -> None:
    parameters = initialize(CONFIG, K, seed=1, scale=0.2)
    state = network.State(h=stream(1, "h").normal(M).reshape(1, 1, M).clip(-0.9, 0.9))
    ids = random_ids(21)
    actual, final = BatchedNetwork(CONFIG, parameters).log_probabilities(ids, state)
    expected = network.forward(CONFIG, parameters, ids[:, np.newaxis], state)
    assert np.allclose(actual, expected.log_probabilities[:, 0], atol=5e-6)
    assert np.allclose(final.h, expected.state.h, atol=1e-6)
    assert np.allclose(np.exp(actual.astype(np.float64)).sum(axis=1), 1, atol=1e-6)


@pytest.mark.parametrize("kind", [FusedEngine, ReferenceEngine])
@pytest.mark.parametrize(
    ("tensor", "place", "message"),
    [
        ("V", (0, 0), "the loss became nan at update 42"),
        ("c", (1,), "the loss became nan at update 42"),
        ("layers.0.W", (2, 3), "the loss became nan at update 42"),
    ],
)
def test_nan_raises_at_its_update(kind: type[Any], tensor: str, place: tuple[int, ...], message: str) -> None:
    parameters = initialize(CONFIG, K, seed=1, scale=0.3)
    parameters[tensor][place] = np.nan
    engine = kind(CONFIG, TRAINING, Start(parameters, updates_done=41))
    with pytest.raises(NumericalError, match=message) as caught:
        engine.train(*updates(3))
    assert (caught.value.update, caught.value.tensor, caught.value.exit_code) == (42, "loss", 5)


def test_infinite_gradient_raises_before_clipping() -> None:
    parameters = initialize(CONFIG, K, seed=1, scale=0.3)
    parameters["V"][:, 0] = np.where(np.arange(K) % 2, 3e38, -3e38).astype(np.float32)
    parameters["layers.0.U"][0] = 0
    parameters["layers.0.W"][0] = 0  # unit 0 is always 0, so that the loss is finite and dL/dh is not
    engine = FusedEngine(CONFIG, TRAINING, Start(parameters))
    with pytest.raises(NumericalError, match=r"the gradient of `.*` became too large, infinite or NaN at update 1"):
        engine.train(*updates(1))


def test_engine_depends_on_network_and_settings() -> None:
    def kind(config: ModelConfig, **changes: Any) -> type[Any]:
        training = TrainingConfig(sequence_length=T, **changes)
        return type(engines.create(config, training, Start(initialize(config, K, seed=1))))

    assert kind(CONFIG) is kind(CONFIG, engine="compiled") is FusedEngine
    assert kind(CONFIG, engine="reference") is ReferenceEngine
    for changes in ({"batch_size": 2}, {"optimizer": "adam"}, {"clip_norm": 1.0}, {"epsilon": 1e-6}):
        assert kind(CONFIG, **changes) is BatchedEngine
    for config in (
        ModelConfig(hidden_size=M, layers=2),
        ModelConfig(hidden_size=M, activation="relu"),
        ModelConfig(hidden_size=M, cell="lstm"),
    ):
        assert kind(config) is BatchedEngine


@pytest.mark.parametrize(
    ("size", "width", "groups"), [(1, 8, 1), (16, 16, 2), (100, 104, 13), (130, 144, 9), (512, 512, 16)]
)
def test_sizes_are_padded_to_whole_tiles(size: int, width: int, groups: int) -> None:
    assert Tiling.of(size) == Tiling(size, width, (0,) * groups)


@pytest.mark.parametrize(("size", "width", "groups"), [(1, 16, 2), (16, 16, 2), (78, 80, 10), (130, 160, 10)])
def test_tile_has_a_whole_number_of_units(size: int, width: int, groups: int) -> None:
    assert Tiling.of(size, unit=2) == Tiling(size, width, (0,) * groups)


GOLDEN = [
    "0x1.992c93e000000p+4",
    "0x1.77abd7f000000p+4",
    "0x1.74bc577000000p+4",
    "0x1.a848fe6000000p+4",
    "0x1.7bd4782000000p+4",
    "0x1.d450b2b800000p+4",
    "0x1.9978386000000p+4",
    "0x1.8e80b7f000000p+4",
    "0x1.132ee7a000000p+5",
    "0x1.b53b6fc000000p+4",
]
