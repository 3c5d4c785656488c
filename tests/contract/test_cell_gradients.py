"""Every cell in every engine: gradients against the float64 reference, and identities that hold for every cell.

T, B, H, K and L all differ, except in tests of the smallest sizes. The initial state is not zero.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
import pytest

from problems import CELLS, Array, Problem, problem
from recurra.engines.batched import BatchedNetwork
from recurra.engines.parameter_layout import Layout, Panels
from recurra.engines.shard import Shard
from recurra.engines.stepper import Stepper
from recurra.network import network
from recurra.network.cells import cell_of
from recurra.network.state import map_state

SIZES = {
    "all different": {"T": 7, "B": 5, "H": 19, "K": 13, "layers": 2},
    "one step": {"T": 1, "B": 5, "H": 19, "K": 13, "layers": 1},
    "one stream": {"T": 7, "B": 1, "H": 19, "K": 13, "layers": 3},
}
Result = tuple[float, dict[str, Array], Any]
of_all_cells = pytest.mark.parametrize("cell", CELLS)


def small(cell: str, **sizes: int) -> Problem:
    """Return a problem rounded to float32, so that all engines start from the same numbers."""
    p = problem(cell, scale=0.3, **sizes)
    parameters = {name: array.astype(np.float32) for name, array in p.parameters.items()}
    return p._replace(parameters=parameters, state=map_state(lambda field: field.astype(np.float32), p.state))


def compiled(p: Problem) -> Result:
    """Return the loss, the gradients and the final state of the compiled engine."""
    T, B = p.inputs.shape
    layout = Layout(p.config, len(p.parameters["c"]))
    views = layout.views(layout.pack_weights(p.parameters))
    panels = Panels(p.config, views, single_stream=B == 1)
    panels.fill()
    panels.fill_backward()
    shard = Shard(p.config, layout, T, B)
    shard.put_state(p.state)
    loss = shard.run(views, panels, p.inputs, p.targets, None)
    return loss, layout.unpack(shard.gradient), shard.state()


def torch_modules(p: Problem) -> Result:
    """Return the loss, the gradients and the final state of PyTorch's modules."""
    torch = pytest.importorskip("torch")
    from recurra.engines.torch_network import Flat, TorchNetwork

    flat, modules = Flat(p.config, len(p.parameters["c"])), TorchNetwork(p.config, len(p.parameters["c"]), "cpu")
    modules.put(torch.tensor(flat.pack(p.parameters)))
    ids = torch.tensor(p.inputs), torch.tensor(p.targets)
    loss, gradient, carried = modules.loss_and_gradient(*ids, modules.carried(p.state), None)
    return float(loss), flat.unpack(gradient.numpy()), modules.state(carried)


ENGINES = {"compiled": compiled, "torch": torch_modules}


@pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("engine", ENGINES)
@of_all_cells
def test_gradients_equal_the_reference(cell: str, engine: str, sizes: dict[str, int]) -> None:
    p = small(cell, **sizes)
    if engine == "torch" and cell_of(p.config).torch is None:
        pytest.skip("PyTorch has no module for this cell")
    loss, gradients, state = ENGINES[engine](p)
    expected_loss, expected, expected_state = network.loss_and_gradients(
        p.config, p.parameters, p.inputs, p.targets, p.state
    )
    assert loss == pytest.approx(expected_loss, rel=1e-5)
    for name, gradient in gradients.items():
        largest = np.abs(expected[name]).max()
        assert largest > 1e-3, name
        np.testing.assert_allclose(gradient, expected[name], rtol=0, atol=2e-5 * max(largest, 1), err_msg=name)
    for field, other in zip(state, expected_state, strict=True):
        np.testing.assert_allclose(field, other, rtol=0, atol=1e-5)


@of_all_cells
def test_one_call_equals_two_calls_with_the_state_carried(cell: str) -> None:
    """log p(ab) = log p(a) + log p(b|a)."""
    p = problem(cell, T=8, B=3, H=4, K=5, layers=2)
    whole = network.forward(p.config, p.parameters, p.inputs, p.state)
    first = network.forward(p.config, p.parameters, p.inputs[:4], p.state)
    second = network.forward(p.config, p.parameters, p.inputs[4:], first.state)
    parts = np.concatenate([first.log_probabilities, second.log_probabilities])
    np.testing.assert_allclose(parts, whole.log_probabilities, rtol=1e-13)
    for field, other in zip(second.state, whole.state, strict=True):
        np.testing.assert_allclose(field, other, rtol=1e-13)


@pytest.mark.parametrize("streams", [1, 5])
@of_all_cells
def test_kernels_give_same_bits_for_any_division_into_calls(cell: str, streams: int) -> None:
    p = small(cell, T=8, B=streams, H=19, K=13, layers=2)
    at_once, end = BatchedNetwork(p.config, p.parameters).log_probabilities(p.inputs, p.state)
    logs, state = [], p.state
    for chunk in np.split(p.inputs, 2):
        log_p, state = BatchedNetwork(p.config, p.parameters).log_probabilities(chunk, state)
        logs.append(log_p)
    assert np.concatenate(logs).tobytes() == at_once.tobytes()
    stepwise, last = Stepper(p.config, p.parameters).read(p.inputs, p.state)
    assert stepwise.tobytes() == at_once.tobytes()
    for field, chunked, stepped in zip(end, state, last, strict=True):
        assert field.tobytes() == chunked.tobytes() == np.ascontiguousarray(stepped).tobytes()


@of_all_cells
def test_gradient_of_two_streams_is_the_sum_of_both(cell: str) -> None:
    p = problem(cell, T=5, B=2, H=3, K=4, layers=2)
    both = network.loss_and_gradients(p.config, p.parameters, p.inputs, p.targets, p.state)
    apart = [
        network.loss_and_gradients(
            p.config,
            p.parameters,
            p.inputs[:, part],
            p.targets[:, part],
            map_state(operator.itemgetter((slice(None), part)), p.state),
        )
        for part in (slice(0, 1), slice(1, 2))
    ]
    assert both[0] == pytest.approx(sum(loss for loss, _, _ in apart), rel=1e-13)
    for name in p.parameters:
        total = sum(gradients[name] for _, gradients, _ in apart)
        np.testing.assert_allclose(both[1][name], total, rtol=1e-11, atol=1e-13)
