"""The training in JAX, float32: one compiled program for a block of updates; the fastest peer of the benchmark.

Four changes made it fast, each compared with its alternatives on one core (benchmarks/README.md has the numbers):

- `lax.scan` over a block of updates with donated buffers, so that Python runs once in `BLOCK` updates;
- `lax.scan` over time, fully unrolled, on rows of U that are looked up before the scan, and one product for all logits;
- `jax.grad` with respect to a_t, so that dW, dU and db are one product, one scatter and one sum; the gradient of a
  plain scan adds an outer product to dW at each step;
- U, W and V stored transposed, with m and K padded to multiples of 8 and 16 by entries that stay exactly zero.

`Peer(..., block=1)` calls the same program for each update, as a hand-written training loop does.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from peers.setting import CLIP, EPSILON, HIDDEN, RATE, TAU, Parameters, initial, updates_per_epoch

if TYPE_CHECKING:
    from numpy.typing import NDArray

BLOCK = 1000
NEVER = -1e9  # bias of a padding symbol: its probability and its gradient are exactly zero
Tensors = dict[str, Any]
TRANSPOSED = ("U", "W", "V")


def padded(parameters: Parameters) -> Tensors:
    """Return the weights transposed, U (K', m'), W (m', m'), V (m', K'); m' and K' are multiples of 8 and 16."""
    symbols = len(parameters["c"])
    more = {HIDDEN: -HIDDEN % 8, symbols: -symbols % 16}
    result = {}
    for name, value in parameters.items():
        filler = NEVER if name == "c" else 0.0
        wide = np.pad(value, [(0, more[n]) for n in value.shape], constant_values=filler)
        result[name] = jnp.array(wide.T if name in TRANSPOSED else wide, jnp.float32)
    return result


def loss_and_gradients(p: Tensors, inputs: Any, targets: Any, h_before: Any, unroll: int) -> tuple[Any, Any, Tensors]:
    """Return the loss of one sequence in nats, the last hidden state and the gradients of the padded weights."""

    def loss_of(from_a: Any, V: Any, c: Any) -> tuple[Any, Any]:
        def step(h: Any, u: Any) -> tuple[Any, Any]:
            h = jnp.tanh(h @ p["W"] + u)
            return h, h

        _, states = lax.scan(step, h_before, from_a, unroll=unroll)
        log_p = jax.nn.log_softmax(states @ V + c)
        return -jnp.sum(log_p[jnp.arange(TAU), targets]), states

    from_inputs = p["U"][inputs] + p["b"]
    (loss, states), (da, dV, dc) = jax.value_and_grad(loss_of, argnums=(0, 1, 2), has_aux=True)(
        from_inputs, p["V"], p["c"]
    )
    earlier = jnp.concatenate([h_before[None], states[:-1]])
    dU = jnp.zeros_like(p["U"]).at[inputs].add(da)
    return loss, states[-1], {"U": dU, "W": earlier.T @ da, "b": da.sum(0), "V": dV, "c": dc}


@partial(jax.jit, static_argnames="unroll", donate_argnums=0)
def train_block(carry: Any, ids: Any, places: Any, unroll: int) -> tuple[Any, Any]:
    """Run one update for each of `places` (n,), the start of its sequence in the text; return the losses (n,)."""

    def update(carry: Any, place: Any) -> tuple[Any, Any]:
        p, squares, h = carry
        window = lax.dynamic_slice(ids, (place,), (TAU + 1,))
        h = jnp.where(place == 0, 0.0, h)
        loss, h, gradients = loss_and_gradients(p, window[:-1], window[1:], h, unroll)
        gradients = {name: jnp.clip(g, -CLIP, CLIP) for name, g in gradients.items()}
        squares = {name: squares[name] + g * g for name, g in gradients.items()}
        p = {name: p[name] - RATE * g / jnp.sqrt(squares[name] + EPSILON) for name, g in gradients.items()}
        return (p, squares, h), loss

    return lax.scan(update, carry, places)


class Peer:
    """A training; `train` continues it, with `block` updates in each compiled call and the remainder one by one."""

    def __init__(
        self,
        symbols: int,
        *,
        seed: int = 0,
        parameters: Parameters | None = None,
        block: int = BLOCK,
        unroll: int = TAU,
    ) -> None:
        first = padded(initial(symbols, seed) if parameters is None else parameters)
        self.carry = (first, {n: jnp.zeros_like(v) for n, v in first.items()}, jnp.zeros_like(first["b"]))
        self.block, self.unroll, self.done = block, unroll, 0
        self.text: tuple[Any, Any] = (None, None)

    def train(self, ids: NDArray[np.int64], updates: int) -> NDArray[np.float64]:
        """Train for `updates` more updates on the text `ids`; return the loss of each, in nats per sequence."""
        if self.text[0] is not ids:
            self.text = (ids, jnp.asarray(ids, jnp.int32))
        losses = np.empty(updates)
        n = 0
        while n < updates:
            size = self.block if updates - n >= self.block else 1
            places = (self.done + np.arange(size)) % updates_per_epoch(len(ids)) * TAU
            self.carry, some = train_block(self.carry, self.text[1], places.astype(np.int32), self.unroll)
            losses[n : n + size] = np.asarray(some)
            n += size
            self.done += size
        return losses
