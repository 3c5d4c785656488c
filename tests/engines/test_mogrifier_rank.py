"""The kernels of the Mogrifier LSTM with low-rank matrices, against the reference."""

from __future__ import annotations

import numpy as np
import pytest

from recurra.config import ModelConfig
from recurra.engines.parameter_layout import Layout, Panels
from recurra.engines.shard import Shard
from recurra.engines.stepper import Stepper
from recurra.network import network
from recurra.network.parameters import parameter_shapes

T, H, K = 6, 19, 13


@pytest.mark.parametrize("B", [1, 5])
@pytest.mark.parametrize("rank", [3, 17])
def test_gradients_and_probabilities_equal_the_reference(rank: int, B: int) -> None:
    config = ModelConfig(cell="mogrifier", mogrifier_rank=rank, hidden_size=H, layers=2)
    random = np.random.default_rng(0)
    shapes = parameter_shapes(config, K)
    parameters = {name: (0.5 * random.normal(size=shape)).astype(np.float32) for name, shape in shapes.items()}
    ids, targets = random.integers(0, K, (2, T, B))
    state = network.zero_state(config, B)._replace(h=random.uniform(-0.5, 0.5, (2, B, H)).astype(np.float32))
    loss, expected, _ = network.loss_and_gradients(config, parameters, ids, targets, state)

    layout = Layout(config, K)
    views = layout.views(layout.pack_weights(parameters))
    panels = Panels(config, views, single_stream=B == 1)
    panels.fill()
    panels.fill_backward()
    shard = Shard(config, layout, T, B)
    shard.put_state(state)
    assert shard.run(views, panels, ids, targets, None) == pytest.approx(loss, rel=1e-6)
    for name, gradient in layout.unpack(shard.gradient).items():
        largest = np.abs(expected[name]).max()
        assert largest > 1e-4, name
        np.testing.assert_allclose(gradient, expected[name], rtol=0, atol=1e-5 * max(largest, 1), err_msg=name)

    logs, _ = Stepper(config, parameters).read(ids, state)
    one_hot = network.forward(config, {name: p.astype(float) for name, p in parameters.items()}, ids, state)
    np.testing.assert_allclose(logs, one_hot.log_probabilities, rtol=0, atol=1e-5)
