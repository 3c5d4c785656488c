"""Every optimizer in the pure and the in-place registry follows the interface of the registry."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recurra import config as settings
from recurra.config import HYPERPARAMETERS, TrainingConfig
from recurra.engines.in_place_optimizers import IN_PLACE_OPTIMIZERS, in_place_optimizer_of
from recurra.engines.kernels.lanes import aligned_zeros
from recurra.io import tensor_file
from recurra.network.optimizers import PURE_OPTIMIZERS, optimizer_of
from recurra.network.optimizers.pure_optimizer import is_scalar
from recurra.training.divergence import USUAL_RATES

N = 1008  # elements of a parameter, a multiple of 16
REGISTRIES: dict[str, Mapping[str, object]] = {
    "PURE_OPTIMIZERS": PURE_OPTIMIZERS,
    "IN_PLACE_OPTIMIZERS": IN_PLACE_OPTIMIZERS,
    "USUAL_RATES": USUAL_RATES,
}

Arrays = dict[str, Any]

of_all = pytest.mark.parametrize("name", settings.OPTIMIZERS)
with_and_without_average = pytest.mark.parametrize("ema", [0.0, 0.9])


def numbers(seed: int) -> Arrays:
    """Return float32 numbers of many magnitudes for two parameters."""
    random, arrays = np.random.default_rng(seed), {}
    for name in ("layers.0.W", "c"):
        arrays[name] = aligned_zeros(1, N)
        arrays[name][:] = random.normal(size=N) * 10.0 ** random.uniform(-9, 3, N)
    return arrays


def copies(arrays: Arrays) -> Arrays:
    """Return copies with the alignment that the kernels expect."""
    result = {}
    for name, array in arrays.items():
        result[name] = aligned_zeros(*array.shape) if array.ndim == 2 else np.zeros_like(array)
        result[name][...] = array
    return result


def bits(arrays: Arrays) -> dict[str, bytes]:
    return {name: array.tobytes() for name, array in arrays.items()}


def training_of(name: str, ema: float = 0.0, **hyperparameters: float) -> TrainingConfig:
    return TrainingConfig(optimizer=name, ema=ema, **hyperparameters)  # type: ignore[arg-type]


def pure_steps(training: TrainingConfig, parameters: Arrays, count: int, state: Arrays | None = None) -> Any:
    optimizer = optimizer_of(training)
    state = optimizer.init(parameters) if state is None else state
    for step in range(count):
        parameters, state = optimizer.update(parameters, numbers(step + 7), state, 0.1 / (step + 1))
    return parameters, state


def in_place_steps(training: TrainingConfig, parameters: Arrays, count: int, state: Arrays | None = None) -> Any:
    optimizer = in_place_optimizer_of(training)
    parameters = copies(parameters)
    state = copies(optimizer.init(parameters) if state is None else state)
    for step in range(count):
        state |= optimizer.update(parameters, numbers(step + 7), state, 0.1 / (step + 1))
    return parameters, state


def absences(registry: Iterable[str], optimizers: Iterable[str] = settings.OPTIMIZERS) -> list[str]:
    """Return the optimizers that are missing in a registry, and those that the settings do not have."""
    registered, required = set(registry), set(optimizers)
    return [f"lacks {name}" for name in sorted(required - registered)] + [
        f"adds {name}" for name in sorted(registered - required)
    ]


@pytest.mark.parametrize("registry", REGISTRIES)
def test_a_registry_has_every_optimizer(registry: str) -> None:
    assert absences(REGISTRIES[registry]) == [], registry


def test_absences_names_a_missing_optimizer() -> None:
    assert absences([name for name in PURE_OPTIMIZERS if name != "nesterov"]) == ["lacks nesterov"]
    assert absences([*PURE_OPTIMIZERS, "lion"]) == ["adds lion"]


@of_all
@with_and_without_average
def test_pure_update_writes_to_no_argument(name: str, ema: float) -> None:
    training = training_of(name, ema)
    parameters, state = pure_steps(training, numbers(0), 2)
    arguments = (parameters, numbers(1), state)
    for array in (array for argument in arguments for array in argument.values()):
        array.flags.writeable = False
    new_parameters, new_state = optimizer_of(training).update(*arguments, 0.1)
    assert list(new_parameters) == list(parameters)
    assert list(new_state) == list(state)
    for new, old in ((new_parameters, parameters), (new_state, state)):
        assert all(not np.shares_memory(new[key], old[key]) for key in old)


@of_all
@with_and_without_average
def test_in_place_update_writes_parameters_and_state_only(name: str, ema: float) -> None:
    optimizer = in_place_optimizer_of(training_of(name, ema))
    parameters, state = in_place_steps(training_of(name, ema), numbers(0), 2)
    gradients, arrays = numbers(1), dict(state)
    for array in [*gradients.values(), *(array for key, array in state.items() if is_scalar(key))]:
        array.flags.writeable = False
    before = bits(parameters) | bits({key: array for key, array in state.items() if not is_scalar(key)})
    scalars = optimizer.update(parameters, gradients, state, 0.1)
    after = bits(parameters) | bits({key: array for key, array in state.items() if not is_scalar(key)})
    assert {key for key in before if before[key] == after[key]} == set()
    assert set(scalars) == {key for key in state if is_scalar(key)}
    assert all(array.shape == (1,) and array.dtype == np.float32 for array in scalars.values())
    assert all(state[key] is arrays[key] for key in state)


@of_all
@with_and_without_average
@pytest.mark.parametrize("share", [1, 0.75])
def test_pure_and_in_place_updates_are_equal(name: str, ema: float, share: float) -> None:
    """Check the default hyper-parameters, and a fraction of each: equal bits, but for AdaGrad."""
    training = training_of(name, ema, **{option: share * usual for option, usual in HYPERPARAMETERS[name].items()})
    expected, expected_state = pure_steps(training, numbers(0), 4)
    result, state = in_place_steps(training, numbers(0), 4)
    if name == "adagrad":  # 1 / √s by Newton's method
        for actual, wanted in ((result, expected), (state, expected_state)):
            assert list(actual) == list(wanted)
            assert all(np.allclose(actual[key], wanted[key], rtol=2e-6, atol=1e-6) for key in actual)
    else:
        assert bits(result) == bits(expected)
        assert bits(state) == bits(expected_state)


@of_all
@pytest.mark.parametrize("steps", [pure_steps, in_place_steps])
@with_and_without_average
def test_state_can_be_saved_and_loaded(tmp_path: Path, name: str, steps: Any, ema: float) -> None:
    training = training_of(name, ema)
    parameters, state = steps(training, numbers(0), 3)
    tensor_file.write(tmp_path / "saved.safetensors", parameters | state, {})
    loaded, _ = tensor_file.read(tmp_path / "saved.safetensors")
    expected = steps(training, parameters, 2, copies(state))
    result = steps(training, parameters, 2, copies({key: loaded[key] for key in state}))
    assert [bits(arrays) for arrays in result] == [bits(arrays) for arrays in expected]


@of_all
@pytest.mark.parametrize("steps", [pure_steps, in_place_steps])
def test_every_hyperparameter_changes_the_update(name: str, steps: Any) -> None:
    usual = steps(training_of(name), numbers(0), 2)
    for option, value in HYPERPARAMETERS[name].items():
        other = steps(training_of(name, **{option: value / 2}), numbers(0), 2)
        assert bits(usual[0]) != bits(other[0]), option


@of_all
@pytest.mark.parametrize("registry", [PURE_OPTIMIZERS, IN_PLACE_OPTIMIZERS], ids=["pure", "in place"])
def test_unknown_hyperparameter_raises(name: str, registry: Any) -> None:
    parameters = numbers(0)
    state = registry[name].init(parameters)
    with pytest.raises(TypeError, match="nonsense"):
        registry[name].update(parameters, numbers(1), state, 0.1, nonsense=1.0)
    assert bits(parameters) == bits(numbers(0))
