"""The training in batches in JAX, float32: one compiled program for a whole update, buffers donated.

Three changes made it fast (benchmarks/README.md has the numbers). The program computes U x of all steps before the scan
over time, by lookup in the first layer and as one product in the layers above. It differentiates with respect to the
sums inside the scan, so that dW is one product after the scan; a plain scan adds to dW at each step. It stores matrices
transposed.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from peers.batch_setting import BETA1, BETA2, CLIP_NORM, EPSILON, RATE, Ids, Parameters, Shape

if TYPE_CHECKING:
    from numpy.typing import NDArray

Tensors = dict[str, Any]
UNROLL = 5  # unrolled steps of the scan for a single stream; steps of several streams are long enough without


def elman_step(_: Any, w: Any, u: Any) -> Any:
    """Return h_t from w = W h and u = U x + b."""
    return (jnp.tanh(w + u),)


def lstm_step(state: Any, w: Any, u: Any) -> Any:
    """Return h_t and c_t from w = W h and u = U x + b, gates i, f, g, o."""
    i, f, g, o = jnp.split(w + u, 4, axis=-1)
    c = jax.nn.sigmoid(f) * state[1] + jax.nn.sigmoid(i) * jnp.tanh(g)
    return jax.nn.sigmoid(o) * jnp.tanh(c), c


def gru_step(state: Any, w: Any, u: Any) -> Any:
    """Return h_t from w = W h (+ b_n) and u = U x + b, gates r, z, n."""
    w_r, w_z, q = jnp.split(w, 3, axis=-1)
    u_r, u_z, u_n = jnp.split(u, 3, axis=-1)
    z = jax.nn.sigmoid(w_z + u_z)
    n = jnp.tanh(u_n + jax.nn.sigmoid(w_r + u_r) * q)
    return (n + z * (state[0] - n),)


STEPS = {"elman": elman_step, "lstm": lstm_step, "gru": gru_step}


def through_time(cell: str, W: Any, u: Any, q: Any, state: Any) -> tuple[Any, Any]:
    """Return h_1 .. h_T (T, B, H) and the last state; u (T, B, G H) is U x + b, q (T, B, H) is b_n or None."""

    def step(state: Any, inputs_t: Any) -> tuple[Any, Any]:
        w = state[0] @ W
        if q is not None:
            w = jnp.concatenate([w[:, : 2 * q.shape[-1]], w[:, 2 * q.shape[-1] :] + inputs_t[1]], axis=-1)
        state = STEPS[cell](state, w, inputs_t[0])
        return state, state[0]

    last, h = lax.scan(step, state, (u, q), unroll=UNROLL if u.shape[1] == 1 else 1)
    return h, last


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def layer(cell: str, W: Any, b_n: Any, u: Any, state: Any) -> tuple[Any, Any]:
    """Compute `through_time` with gradients of W and b_n as one product and one sum after the scan."""
    return layer_forward(cell, W, b_n, u, state)[0]


def layer_forward(cell: str, W: Any, b_n: Any, u: Any, state: Any) -> tuple[Any, Any]:
    """Return the output of the layer, and the values that its backward pass needs."""
    q = None if b_n is None else jnp.broadcast_to(b_n, (*u.shape[:2], b_n.shape[-1]))
    (h, last), pull = jax.vjp(lambda u, q: through_time(cell, W, u, q, state), u, q)
    return (h, last), (pull, h, state)


def layer_backward(_: str, kept: Any, d: Any) -> Any:
    """Return the gradients of W, b_n and u; the state before the sequence has no gradient."""
    pull, h, state = kept
    du, dq = pull(d)
    dw = du if dq is None else jnp.concatenate([du[..., : 2 * dq.shape[-1]], dq], axis=-1)
    earlier = jnp.concatenate([state[0][None], h[:-1]])
    dW = flat(earlier).T @ flat(dw)
    return dW, None if dq is None else dq.sum((0, 1)), du, jax.tree.map(jnp.zeros_like, state)


layer.defvjp(layer_forward, layer_backward)


def flat(x: Any) -> Any:
    """Reshape (T, B, n) to (T B, n)."""
    return x.reshape(-1, x.shape[-1])


def loss_of(p: Tensors, cell: str, inputs: Any, targets: Any, states: Any) -> tuple[Any, Any]:
    """Return the sum of the losses in nats, and the last states."""
    h, lasts = None, []
    for number, state in enumerate(states):
        name = f"layers.{number}."
        u = p[name + "U"][inputs] if h is None else h @ p[name + "U"]
        h, last = layer(cell, p[name + "W"], p.get(name + "b_n"), u + p[name + "b"], state)
        lasts.append(last)
    o = flat(h) @ p["V"] + p["c"]
    right = jnp.take_along_axis(o, targets.reshape(-1, 1), axis=1)[:, 0]
    return jnp.sum(jax.nn.logsumexp(o, axis=1) - right), lasts


@partial(jax.jit, static_argnums=(0,), donate_argnums=(1,))
def train_block(cell: str, carry: Any, inputs: Any, targets: Any) -> tuple[Any, Any]:
    """Run one update for each of `inputs` and `targets` (n, T, B); return the losses (n,)."""

    def update(carry: Any, pair: Any) -> tuple[Any, Any]:
        p, means, squares, states, t = carry
        (loss, states), g = jax.value_and_grad(loss_of, has_aux=True)(p, cell, *pair, states)
        norm = jnp.sqrt(sum(jnp.vdot(x, x) for x in g.values()))
        g = {name: x * jnp.minimum(1.0, CLIP_NORM / norm) for name, x in g.items()}
        t = t + 1
        means = {name: BETA1 * means[name] + (1 - BETA1) * x for name, x in g.items()}
        squares = {name: BETA2 * squares[name] + (1 - BETA2) * x * x for name, x in g.items()}
        w1, w2 = 1 - BETA1**t, 1 - BETA2**t
        p = {n: x - RATE / w1 * means[n] / (jnp.sqrt(squares[n] / w2) + EPSILON) for n, x in p.items()}
        return (p, means, squares, states, t), loss

    if len(inputs) == 1:
        carry, loss = update(carry, (inputs[0], targets[0]))
        return carry, loss[None]
    return lax.scan(update, carry, (inputs, targets))


class Peer:
    """A training; `train` continues it, with all updates of a call in one program."""

    def __init__(self, shape: Shape, parameters: Parameters, threads: int) -> None:
        del threads  # XLA uses the cores of the process, and XLA_FLAGS
        self.cell = shape.cell

        def copies() -> Tensors:  # donated buffers must not be shared
            return {name: jnp.array(value.T) for name, value in parameters.items()}

        def zeros() -> Tensors:
            return {name: jnp.zeros_like(value) for name, value in copies().items()}

        fields = 2 if shape.cell == "lstm" else 1
        size = (shape.batch, shape.hidden)
        states = [tuple(jnp.zeros(size) for _ in range(fields)) for _ in range(shape.layers)]
        self.carry = (copies(), zeros(), zeros(), states, jnp.zeros(()))

    def train(self, inputs: Ids, targets: Ids) -> NDArray[np.float64]:
        """Run one update for each of `inputs` and `targets` (n, T, B); return the losses (n,), each a sum in nats."""
        self.carry, losses = train_block(self.cell, self.carry, inputs.astype(np.int32), targets.astype(np.int32))
        return np.asarray(losses, np.float64)
