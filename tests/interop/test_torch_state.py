"""Conversion of parameters to PyTorch's state_dict and back, and errors for state_dicts of other networks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from networks import CONFIGS, H, name_of, small
from recurra.config import ModelConfig
from recurra.errors import ModelError, RecurraError, UsageError
from recurra.interop.torch_names import Names
from recurra.interop.torch_state import from_state, to_state

LSTM = ModelConfig(cell="lstm", hidden_size=5, layers=2)
K = 8


def state(config: ModelConfig = LSTM) -> dict[str, Any]:
    return to_state(config, small(config).parameters)


@pytest.mark.parametrize("config", CONFIGS, ids=name_of)
def test_state_dict_and_back_gives_same_bits(config: ModelConfig) -> None:
    parameters = small(config).parameters
    network = from_state(to_state(config, parameters), activation=config.activation)
    assert network.config == config
    assert network.parameters.keys() == parameters.keys()
    for name, array in parameters.items():
        assert network.parameters[name].tobytes() == array.tobytes(), name
    assert any(np.signbit(array[array == 0]).any() for array in parameters.values())  # the test includes -0.0


@pytest.mark.parametrize("config", CONFIGS, ids=name_of)
def test_tensors_have_the_names_and_shapes_of_pytorch(config: ModelConfig) -> None:
    rows = {"elman": H, "lstm": 4 * H, "gru": 3 * H}[config.cell]
    expected: dict[str, tuple[int, ...]] = {"output.weight": (K, H), "output.bias": (K,)}
    for layer in range(config.layers):
        expected[f"rnn.weight_ih_l{layer}"] = (rows, H if layer else K)
        expected[f"rnn.weight_hh_l{layer}"] = (rows, H)
        expected[f"rnn.bias_ih_l{layer}"] = expected[f"rnn.bias_hh_l{layer}"] = (rows,)
    result = to_state(config, small(config).parameters)
    assert {name: array.shape for name, array in result.items()} == expected
    assert all(array.dtype == np.float32 for array in result.values())


def test_second_bias_is_zero_except_gate_n_of_gru() -> None:
    assert not state()["rnn.bias_hh_l0"].any()
    config = ModelConfig(cell="gru", hidden_size=5)
    second = state(config)["rnn.bias_hh_l0"]
    assert not second[:10].any()
    np.testing.assert_array_equal(second[10:], small(config).parameters["layers.0.b_n"])


@pytest.mark.parametrize("config", CONFIGS, ids=name_of)
def test_biases_are_summed_except_gate_n_of_gru(config: ModelConfig) -> None:
    tensors = state(config)
    draw = np.random.default_rng(3)
    first, second = (draw.normal(size=len(tensors["rnn.bias_ih_l0"])).astype(np.float32) for _ in range(2))
    result = from_state(tensors | {"rnn.bias_ih_l0": first, "rnn.bias_hh_l0": second}).parameters
    added = first + second
    if config.cell == "gru":
        added[2 * H :] = first[2 * H :]
        np.testing.assert_array_equal(result["layers.0.b_n"], second[2 * H :])
    np.testing.assert_array_equal(result["layers.0.b"], added)


@pytest.mark.parametrize(
    ("recurrent", "projection"),
    [("rnn.", "output."), ("", "output."), ("lstm.", "fc."), ("a.b.", "decoder."), ("", "")],
)
def test_modules_may_have_any_name(recurrent: str, projection: str) -> None:
    renamed = {n.replace("rnn.", recurrent).replace("output.", projection): t for n, t in state().items()}
    result = from_state(renamed).parameters
    assert {name: array.tobytes() for name, array in result.items()} == {
        name: array.tobytes() for name, array in small(LSTM).parameters.items()
    }


def test_missing_biases_are_zero() -> None:
    result = from_state({name: array for name, array in state().items() if "bias" not in name}).parameters
    assert not any(result[name].any() for name in ("layers.0.b", "layers.1.b", "c"))
    assert result["V"].any()


def test_embedding_is_multiplied_into_the_first_layer() -> None:
    tensors = state()
    draw = np.random.default_rng(5)
    embedding, weight = draw.normal(size=(K, 3)), draw.normal(size=(20, 3))
    result = from_state(tensors | {"encoder.weight": embedding, "rnn.weight_ih_l0": weight}).parameters
    np.testing.assert_allclose(result["layers.0.U"], weight @ embedding.T, rtol=1e-6)
    np.testing.assert_array_equal(result["layers.1.U"], tensors["rnn.weight_ih_l1"])


def test_ambiguous_modules_need_names() -> None:
    tensors = {name.replace("output", "fc"): array for name, array in state().items() if name != "output.bias"}
    tensors |= {"encoder.weight": np.eye(K, dtype=np.float32)}
    with pytest.raises(
        UsageError, match=r"several modules may be the projection to the characters: `encoder`, `fc`\."
    ) as error:
        from_state(tensors)
    assert error.value.hint == "name one of them: `--projection NAME`."
    expected = small(LSTM).parameters["layers.0.U"]
    for names in (Names(output="fc"), Names(embedding="encoder")):
        np.testing.assert_array_equal(from_state(tensors, names).parameters["layers.0.U"], expected)


def test_several_recurrent_networks_need_a_name() -> None:
    tensors = state() | {name.replace("rnn", "other"): array for name, array in state().items() if "rnn" in name}
    with pytest.raises(UsageError, match="the file has several recurrent networks: `other`, `rnn`"):
        from_state(tensors)
    with pytest.raises(ModelError, match=r"`other.bias_hh_l0` has no place in a network"):
        from_state(tensors, Names(recurrent="rnn"))


@pytest.mark.parametrize("dtype", [np.float16, np.float64])
def test_other_float_types_are_rounded(dtype: type) -> None:
    tensors = {name: array.astype(dtype) for name, array in state().items()}
    result = from_state(tensors).parameters
    assert all(array.dtype == np.float32 for array in result.values())
    np.testing.assert_array_equal(result["V"], tensors["output.weight"].astype(np.float32))


def without(name: str) -> dict[str, Any]:
    return {other: array for other, array in state().items() if other != name}


WRONG = [
    ({}, "the file has no recurrent layers: `weight_ih_l0` is missing"),
    (without("rnn.weight_ih_l0"), "the file has no recurrent layers"),
    (without("rnn.weight_hh_l0"), "`rnn.weight_hh_l0` is missing"),
    (without("rnn.weight_ih_l1"), "`rnn.weight_ih_l1` is missing"),
    (without("output.weight"), "`output.weight` is missing"),
    (state() | {"rnn.weight_hr_l0": np.ones((2, 5))}, "`rnn.weight_hr_l0` has no place in a network"),
    (state() | {"rnn.weight_ih_l0_reverse": np.ones((20, 8))}, "`rnn.weight_ih_l0_reverse` has no place"),
    (state() | {"norm.weight": np.ones(5), "norm.bias": np.ones(5)}, "`norm.bias` has no place in a network"),
    (state() | {"rnn.bias_ih_l0": np.ones(19)}, "`rnn.bias_ih_l0` must be 20; got 19"),
    (state() | {"rnn.weight_ih_l1": np.ones((20, 6))}, "`rnn.weight_ih_l1` must be 20 x 5; got 20 x 6"),
    (state() | {"rnn.weight_ih_l0": np.ones((20, 7))}, "`rnn.weight_ih_l0` must be 20 x 8; got 20 x 7"),
    (state() | {"output.weight": np.ones((8, 4))}, "`output.weight` must be any x 5; got 8 x 4"),
    (state() | {"output.bias": np.ones(())}, "`output.bias` must be 8; got a number"),
    (state() | {"rnn.weight_hh_l0": np.ones((0, 0))}, "`rnn.weight_hh_l0` must be any x any; got 0 x 0"),
    (
        state() | {"rnn.weight_hh_l0": np.ones((10, 5))},
        "expected H x H of an RNN, 3H x H of a GRU or 4H x H of an LSTM",
    ),
    (
        state() | {"output.weight": np.ones((8, 5), int)},
        "`output.weight` must be float16, float32 or float64; got int64",
    ),
    (state() | {"rnn.weight_hh_l64": np.ones((20, 5))}, "`rnn.weight_ih_l2` is missing"),
]


@pytest.mark.parametrize(("tensors", "words"), WRONG, ids=[words for _, words in WRONG])
def test_state_dict_of_another_network_is_an_error(tensors: dict[str, Any], words: str) -> None:
    with pytest.raises(RecurraError) as error:
        from_state(tensors)
    assert words in error.value.message


def test_unknown_module_name_is_an_error() -> None:
    with pytest.raises(ModelError, match=r"the file has no recurrent layers: `gru.weight_ih_l0` is missing"):
        from_state(state(), Names(recurrent="gru"))
    with pytest.raises(ModelError, match=r"`fc.weight` is missing|`output.bias` has no place"):
        from_state(state(), Names(output="fc"))


def test_relu_with_lstm_is_an_error() -> None:
    with pytest.raises(UsageError, match="`activation` must be tanh with cell lstm; got 'relu'"):
        from_state(state(), activation="relu")


def test_too_many_layers_is_an_error() -> None:
    tensors = state()
    tensors |= {
        name.replace("l1", f"l{layer}"): array
        for name, array in tensors.items()
        if name.endswith("l1")
        for layer in range(2, 66)
    }
    with pytest.raises(ModelError, match="`layers` must be a whole number, between 1 and 64; got 66"):
        from_state(tensors)
