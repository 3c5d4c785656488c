"""PyTorch's automatic differentiation as an independent witness of loss and gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from problems import Problem, problem

from recurra.network import network

pytestmark = pytest.mark.torch
torch: Any = pytest.importorskip("torch")


def torch_loss_and_gradients(p: Problem) -> tuple[float, dict[str, Any]]:
    """The same network of `torch.nn.RNN` and `cross_entropy`; its second bias is zero."""
    K, m = p.parameters["V"].shape
    rnn = torch.nn.RNN(K, m, num_layers=p.config.layers, nonlinearity="tanh", dtype=torch.float64)
    mine = {"weight_ih": "U", "weight_hh": "W", "bias_ih": "b"}
    named = dict(rnn.named_parameters())
    with torch.no_grad():
        for name, value in named.items():
            kind, layer = name.split("_l")
            source = p.parameters[f"layers.{layer}.{mine[kind]}"] if kind in mine else np.zeros(value.shape)
            value.copy_(torch.from_numpy(source))
    V, c, h0 = (torch.tensor(array, requires_grad=True) for array in (p.parameters["V"], p.parameters["c"], p.state.h))
    x = torch.nn.functional.one_hot(torch.from_numpy(p.inputs), K).to(torch.float64)
    h, _ = rnn(x, h0)
    logits = (h @ V.T + c).reshape(-1, K)
    loss = torch.nn.functional.cross_entropy(logits, torch.from_numpy(p.targets).reshape(-1), reduction="sum")
    loss.backward()
    gradients = {
        f"layers.{layer}.{mine[kind]}": named[f"{kind}_l{layer}"].grad.numpy()
        for layer in range(p.config.layers)
        for kind in mine
    }
    return loss.item(), gradients | {"V": V.grad.numpy(), "c": c.grad.numpy(), "state.h": h0.grad.numpy()}


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("sizes", [(7, 3, 4, 5), (1, 2, 3, 4), (6, 1, 5, 3)], ids=str)
def test_loss_and_all_gradients_agree(sizes: tuple[int, int, int, int], layers: int) -> None:
    T, B, H, K = sizes
    p = problem(T=T, B=B, H=H, K=K, layers=layers)
    loss, gradients, _ = network.loss_and_gradients(*p)
    expected_loss, expected = torch_loss_and_gradients(p)
    assert loss == pytest.approx(expected_loss, rel=1e-12)
    assert gradients.keys() == expected.keys()
    for name, gradient in gradients.items():
        np.testing.assert_allclose(gradient, expected[name], rtol=1e-10, atol=1e-12, err_msg=name)
