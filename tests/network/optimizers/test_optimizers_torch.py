"""Compare the optimizers with PyTorch's, if both have the same formula."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from recurra.network.optimizers import PURE_OPTIMIZERS, clip_by_norm

pytestmark = pytest.mark.torch
torch: Any = pytest.importorskip("torch")

# PyTorch's AdaGrad adds 1e-10 to the square root, recurra's adds 1e-8 under the root. With gradients of order 1e3, as
# below, neither changes the result.
PEERS = [
    ("sgd", {}, "SGD", {}),
    ("momentum", {}, "SGD", {"momentum": 0.9}),
    ("momentum", {"momentum": 0.5}, "SGD", {"momentum": 0.5}),
    ("nesterov", {}, "SGD", {"momentum": 0.9, "nesterov": True}),
    ("adagrad", {}, "Adagrad", {}),
    ("rmsprop", {}, "RMSprop", {}),
    ("rmsprop", {"beta2": 0.9, "epsilon": 1e-3}, "RMSprop", {"alpha": 0.9, "eps": 1e-3}),
    ("adam", {}, "Adam", {}),
    ("adam", {"beta1": 0.8, "beta2": 0.95, "epsilon": 1.0}, "Adam", {"betas": (0.8, 0.95), "eps": 1.0}),
    ("adamw", {}, "AdamW", {}),
    ("adamw", {"weight_decay": 0.5}, "AdamW", {"weight_decay": 0.5}),
]


@pytest.mark.parametrize(("name", "hyper", "peer", "peer_hyper"), PEERS, ids=[f"{p[0]} {p[1]}" for p in PEERS])
def test_twenty_updates_equal_pytorch(
    name: str, hyper: dict[str, float], peer: str, peer_hyper: dict[str, Any]
) -> None:
    """The learning rate changes from update to update; the gradients are random."""
    random = np.random.default_rng(0)
    parameters = {"V": random.standard_normal((3, 4)), "c": random.standard_normal(5)}
    state = PURE_OPTIMIZERS[name].init(parameters)
    theirs = {key: torch.nn.Parameter(torch.tensor(array)) for key, array in parameters.items()}
    optimizer = getattr(torch.optim, peer)(theirs.values(), lr=0.1, **peer_hyper)
    for update in range(20):
        rate = 0.1 / (1 + update)
        gradients = {key: 1e3 * random.standard_normal(array.shape) for key, array in parameters.items()}
        parameters, state = PURE_OPTIMIZERS[name].update(parameters, gradients, state, rate, **hyper)
        for key, parameter in theirs.items():
            parameter.grad = torch.tensor(gradients[key])
        optimizer.param_groups[0]["lr"] = rate
        optimizer.step()
        for key, parameter in theirs.items():
            np.testing.assert_allclose(parameters[key], parameter.detach().numpy(), rtol=1e-10, atol=1e-12)


def test_clipping_by_norm_equals_pytorch() -> None:
    """PyTorch divides by the norm + 1e-6."""
    random = np.random.default_rng(0)
    gradients = {"V": 1e3 * random.standard_normal((3, 4)), "c": 1e3 * random.standard_normal(5)}
    theirs = [torch.nn.Parameter(torch.zeros(array.shape, dtype=torch.float64)) for array in gradients.values()]
    for parameter, array in zip(theirs, gradients.values(), strict=True):
        parameter.grad = torch.tensor(array)
    torch.nn.utils.clip_grad_norm_(theirs, 2.0)
    for parameter, array in zip(theirs, clip_by_norm(gradients, 2.0).values(), strict=True):
        np.testing.assert_allclose(array, parameter.grad.numpy(), rtol=1e-9)
