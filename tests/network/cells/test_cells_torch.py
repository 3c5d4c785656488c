"""Compare the cells without a PyTorch module with PyTorch's autograd of the papers' equations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from recurra.network.cells import mingru, mogrifier

pytestmark = pytest.mark.torch
torch: Any = pytest.importorskip("torch")
T, B, D, H = 6, 3, 5, 4


def mingru_step(p: dict[str, Any], x: Any, h: Any) -> tuple[Any, ...]:
    z = torch.sigmoid(x @ p["U"][:H].T + p["b"][:H])
    candidate = x @ p["U"][H:].T + p["b"][H:]
    return (torch.lerp(h, candidate, z),)


def mogrifier_step(p: dict[str, Any], x: Any, h: Any, c: Any) -> tuple[Any, ...]:
    for number in range(1, 100):
        letter = "Q" if number % 2 else "R"
        matrix = p.get(f"{letter}{number}")
        if matrix is None and f"{letter}{number}_left" in p:
            matrix = p[f"{letter}{number}_left"] @ p[f"{letter}{number}_right"]
        if matrix is None:
            break
        if letter == "Q":
            x = 2 * torch.sigmoid(torch.nn.functional.linear(h, matrix)) * x
        else:
            h = 2 * torch.sigmoid(torch.nn.functional.linear(x, matrix)) * h
    cell = torch.nn.LSTMCell(D, H, dtype=torch.float64)
    names = {"weight_ih": p["U"], "weight_hh": p["W"], "bias_ih": p["b"], "bias_hh": torch.zeros_like(p["b"])}
    result: tuple[Any, ...] = torch.func.functional_call(cell, names, (x, (h, c)))
    return result


CASES = {
    "mingru": (mingru, mingru.shapes(D, H), mingru_step),
    "mogrifier": (mogrifier, mogrifier.shapes(D, H), mogrifier_step),
    "mogrifier of rank 2": (mogrifier, mogrifier.shapes(D, H, rounds=4, rank=2), mogrifier_step),
}


@pytest.mark.parametrize(("cell", "shapes", "step"), CASES.values(), ids=CASES)
def test_all_gradients_equal_autograd(cell: Any, shapes: dict[str, Any], step: Callable[..., tuple[Any, ...]]) -> None:
    random = np.random.default_rng(0)
    values = {name: 0.7 * random.normal(size=shape) for name, shape in shapes.items()}
    x, dh = random.normal(size=(T, B, D)), random.normal(size=(T, B, H))
    state, dstate = (cell.State(*(random.normal(size=(B, H)) for _ in cell.State._fields)) for _ in range(2))
    h, final, cache = cell.forward(values, x, state)
    gradients, dx, dstart = cell.backward(values, cache, dh, dstate)

    leaves = {name: torch.tensor(array, requires_grad=True) for name, array in values.items()}
    inputs = torch.tensor(x, requires_grad=True)
    starts = [torch.tensor(field, requires_grad=True) for field in state]
    fields, outputs = tuple(starts), []
    for x_t in inputs:
        fields = step(leaves, x_t, *fields)
        outputs.append(fields[0])
    loss = (torch.stack(outputs) * torch.from_numpy(dh)).sum()
    loss = loss + sum((field * torch.from_numpy(d)).sum() for field, d in zip(fields, dstate, strict=True))
    loss.backward()

    np.testing.assert_allclose(h, torch.stack(outputs).detach().numpy(), rtol=1e-11, atol=1e-13)
    for array, theirs in zip(final, fields, strict=True):
        np.testing.assert_allclose(array, theirs.detach().numpy(), rtol=1e-11, atol=1e-13)
    for name, gradient in gradients.items():
        assert np.abs(gradient).max() > 1e-6, name
        np.testing.assert_allclose(gradient, leaves[name].grad.numpy(), rtol=1e-10, atol=1e-12, err_msg=name)
    np.testing.assert_allclose(dx, inputs.grad.numpy(), rtol=1e-10, atol=1e-12)
    for array, theirs in zip(dstart, starts, strict=True):
        np.testing.assert_allclose(array, theirs.grad.numpy(), rtol=1e-10, atol=1e-12)
