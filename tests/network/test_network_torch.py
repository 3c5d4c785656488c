"""Compare the loss and the gradients with PyTorch's automatic differentiation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from problems import CELLS, Array, Problem, config_of, masks_of, problem
from recurra.network import network
from recurra.network.cells import cell_of
from recurra.network.state import named_state

pytestmark = pytest.mark.torch
torch: Any = pytest.importorskip("torch")


def recurrent_layers(p: Problem) -> list[Any]:
    """Return a `torch.nn` module for each layer, with the same weights; bias_hh is zero except for n of a GRU."""
    kinds = {"elman": torch.nn.RNN, "lstm": torch.nn.LSTM, "gru": torch.nn.GRU}
    options = {"nonlinearity": p.config.activation} if p.config.cell == "elman" else {}
    H = p.config.hidden_size
    layers = []
    for layer in range(p.config.layers):
        U, W, b, *b_n = (array for name, array in p.parameters.items() if name.startswith(f"layers.{layer}."))
        module = kinds[p.config.cell](U.shape[1], H, dtype=torch.float64, **options)
        bias_hh = np.concatenate([np.zeros(len(b) - H), *b_n]) if b_n else np.zeros(len(b))
        with torch.no_grad():
            for name, value in {"weight_ih": U, "weight_hh": W, "bias_ih": b, "bias_hh": bias_hh}.items():
                getattr(module, f"{name}_l0").copy_(torch.from_numpy(value))
        layers.append(module)
    return layers


def gradients_of(layer: int, module: Any, H: int) -> dict[str, Array]:
    names = {"U": "weight_ih", "W": "weight_hh", "b": "bias_ih"}
    result = {name: getattr(module, f"{theirs}_l0").grad.numpy() for name, theirs in names.items()}
    if isinstance(module, torch.nn.GRU):
        result["b_n"] = module.bias_hh_l0.grad.numpy()[2 * H :]
    return {f"layers.{layer}.{name}": gradient for name, gradient in result.items()}


def torch_loss_and_gradients(p: Problem, masks: Array) -> tuple[float, dict[str, Array], list[Array]]:
    """Return the loss, all gradients and the final state of the same network in `torch.nn`."""
    K = len(p.parameters["c"])
    modules = recurrent_layers(p)
    V, c = (torch.tensor(p.parameters[name], requires_grad=True) for name in ("V", "c"))
    state = [torch.tensor(field, requires_grad=True) for field in p.state]
    h = torch.nn.functional.one_hot(torch.from_numpy(p.inputs), K).to(torch.float64)
    finals: list[list[Array]] = [[] for _ in state]
    for layer, module in enumerate(modules):
        start = [field[layer : layer + 1] for field in state]
        h, final = module(
            h if layer == 0 else h * torch.from_numpy(masks[layer - 1]), start[0] if len(start) == 1 else start
        )
        for fields, field in zip(finals, final if len(start) > 1 else [final], strict=True):
            fields.append(field[0].detach().numpy())
    logits = (h @ V.T + c).reshape(-1, K)
    loss = torch.nn.functional.cross_entropy(logits, torch.from_numpy(p.targets).reshape(-1), reduction="sum")
    loss.backward()
    gradients = {"V": V.grad.numpy(), "c": c.grad.numpy()}
    gradients |= named_state(cell_of(p.config).state(*(field.grad.numpy() for field in state)))
    for layer, module in enumerate(modules):
        gradients |= gradients_of(layer, module, p.config.hidden_size)
    return loss.item(), gradients, [np.stack(fields) for fields in finals]


@pytest.mark.parametrize("cell", [cell for cell in CELLS if cell_of(config_of(cell)).torch is not None])
@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("sizes", [(7, 3, 4, 5), (1, 2, 3, 4), (6, 1, 5, 3)], ids=str)
def test_loss_state_and_gradients_equal_pytorch(sizes: tuple[int, int, int, int], layers: int, cell: str) -> None:
    T, B, H, K = sizes
    p = problem(cell, T=T, B=B, H=H, K=K, layers=layers)
    masks = masks_of(p) if B > 1 else np.ones((layers - 1, B, H))
    loss, gradients, final = network.loss_and_gradients(*p, masks=masks)
    expected_loss, expected, expected_final = torch_loss_and_gradients(p, masks)
    assert loss == pytest.approx(expected_loss, rel=1e-12)
    assert gradients.keys() == expected.keys()
    for name, gradient in gradients.items():
        assert np.abs(gradient).max() > 1e-6, name
        np.testing.assert_allclose(gradient, expected[name], rtol=1e-10, atol=1e-12, err_msg=name)
    np.testing.assert_allclose(np.stack(final), np.stack(expected_final), rtol=1e-12)
