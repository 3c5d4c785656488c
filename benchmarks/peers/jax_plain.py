"""The training in plain JAX, float32: `jax.grad` through `lax.scan` over time, in `lax.scan` over updates.

`jax_scan.py` is the same training, optimized by hand.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from peers.setting import CLIP, EPSILON, RATE, TAU, Parameters, initial, updates_per_epoch

if TYPE_CHECKING:
    from numpy.typing import NDArray

BLOCK = 1000
Tensors = dict[str, Any]


def loss_of(p: Tensors, inputs: Any, targets: Any, h_before: Any) -> tuple[Any, Any]:
    """Return the loss of one sequence in nats, and the last hidden state."""

    def step(h: Any, symbol: Any) -> tuple[Any, Any]:
        h = jnp.tanh(p["W"] @ h + p["U"][:, symbol] + p["b"])
        return h, h

    last, states = lax.scan(step, h_before, inputs)
    log_p = jax.nn.log_softmax(states @ p["V"].T + p["c"])
    return -jnp.sum(log_p[jnp.arange(TAU), targets]), last


@partial(jax.jit, donate_argnums=0)
def train_block(carry: Any, ids: Any, places: Any) -> tuple[Any, Any]:
    """Run one update for each of `places` (n,), the start of its sequence in the text; return the losses (n,)."""

    def update(carry: Any, place: Any) -> tuple[Any, Any]:
        p, squares, h = carry
        window = lax.dynamic_slice(ids, (place,), (TAU + 1,))
        h = jnp.where(place == 0, 0.0, h)
        (loss, h), gradients = jax.value_and_grad(loss_of, has_aux=True)(p, window[:-1], window[1:], h)
        gradients = {name: jnp.clip(g, -CLIP, CLIP) for name, g in gradients.items()}
        squares = {name: squares[name] + g * g for name, g in gradients.items()}
        p = {name: p[name] - RATE * g / jnp.sqrt(squares[name] + EPSILON) for name, g in gradients.items()}
        return (p, squares, h), loss

    return lax.scan(update, carry, places)


class Peer:
    """A training; `train` continues it, with 1,000 updates in each compiled call and the remainder one by one."""

    def __init__(self, symbols: int, *, seed: int = 0, parameters: Parameters | None = None) -> None:
        start = initial(symbols, seed) if parameters is None else parameters
        first = {name: jnp.array(value, jnp.float32) for name, value in start.items()}
        self.carry = (first, {n: jnp.zeros_like(v) for n, v in first.items()}, jnp.zeros_like(first["b"]))
        self.done = 0

    def train(self, ids: NDArray[np.int64], updates: int) -> NDArray[np.float64]:
        """Train for `updates` more updates on the text `ids`; return the loss of each, in nats per sequence."""
        text = jnp.asarray(ids, jnp.int32)
        losses = np.empty(updates)
        n = 0
        while n < updates:
            size = BLOCK if updates - n >= BLOCK else 1
            places = (self.done + np.arange(size)) % updates_per_epoch(len(ids)) * TAU
            self.carry, some = train_block(self.carry, text, places.astype(np.int32))
            losses[n : n + size] = np.asarray(some)
            n += size
            self.done += size
        return losses
