"""The trained network, one time step of B streams at a time: read text, or write it.

One call runs a block of steps. Each stream has the bits that it would have alone, since `row_multiply` and `multiply`
add in the same order.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from recurra.engines.kernels.cell_kernels import InputWeights
from recurra.engines.kernels.cell_registry import step
from recurra.engines.kernels.choice import ZERO, Rules, choose
from recurra.engines.kernels.compilation import strict
from recurra.engines.kernels.gemm import multiply
from recurra.engines.kernels.lanes import Tile, Vector
from recurra.engines.kernels.products import copy_columns, set_rows
from recurra.engines.kernels.softmax import PAIR, log_softmax


class NetworkWeights(NamedTuple):
    """The weights of all layers.

    inputs: U of every layer.
    cell: the `StepWeights` of the cell.
    V: V^T (H, K) in panels.
    c: (1, K).
    """

    inputs: InputWeights
    cell: Any
    V: Vector
    c: Vector


class StepWorkspace(NamedTuple):
    """The arrays that a step overwrites, except the state.

    cell: the `step_buffers` of the cell.
    logits: (B, K).
    logs: (B, K), log p.
    x: (1, K), scores of one stream.
    parts: (K,) float64, sums of `choice.draw`.
    sums: (1, B padded to a multiple of 16), sums of exponentials.
    packed: (256, 8), packed rows of `gemm`.
    """

    cell: Any
    logits: Vector
    logs: Vector
    x: Vector
    parts: Vector
    sums: Vector
    packed: Vector


@strict
def advance(ids: Vector, weights: NetworkWeights, states: Any, workspace: StepWorkspace, tile: Tile) -> None:
    """Read one symbol in each stream: advance the state by one time step.

    Args:
        ids: (B,) integers.
        weights: the network.
        states: each field (L, B, H); overwritten.
        workspace: overwritten.
        tile: width of the vectors.
    """
    for number in range(states.h.shape[0]):
        step(number, ids, weights.inputs, weights.cell, states, workspace.cell, workspace.packed, tile)


@strict
def clear(field: Vector, s: int) -> None:
    """Set the state of one stream to zero: field[:, s] = 0.

    Args:
        field: (L, B, H), one field of the state; written.
        s: index of the stream.
    """
    for number in range(field.shape[0]):
        for k in range(field.shape[2]):
            field[number, s, k] = ZERO


@strict
def project(h: Vector, weights: NetworkWeights, logits: Vector, packed: Vector) -> None:
    """Compute the logits c + V h of the last layer.

    Args:
        h: (L, B, H), the hidden states.
        weights: the network.
        logits: (B, K); written.
        packed: (256, 8), workspace of `gemm`; overwritten.
    """
    last = h[h.shape[0] - 1]
    set_rows(logits, weights.c, 0, PAIR)
    multiply(last, False, weights.V, last.shape[1], logits, packed, True)


@strict
def read(
    ids: Vector,
    weights: NetworkWeights,
    states: Any,
    workspace: StepWorkspace,
    logs: Vector,
    sums: Vector,
    tile: Tile,
) -> None:
    """Read T symbols in each stream, and compute log p of the symbol after each.

    Args:
        ids: (T, B) integers.
        weights: the network.
        states: each field (L, B, H); overwritten.
        workspace: overwritten.
        logs: (T B, K), log p in nats; written.
        sums: (1, T B padded to a multiple of 16), workspace for the sums of exponentials; overwritten.
        tile: width of the vectors over hidden units.
    """
    B = ids.shape[1]
    for t in range(ids.shape[0]):
        advance(ids[t], weights, states, workspace, tile)
        project(states.h, weights, logs[t * B : t * B + B], workspace.packed)
    log_softmax(logs, sums)


@strict
def write(
    inputs: Vector,
    uniforms: Vector,
    current: Vector,
    rules: Rules,
    document_end: int,
    weights: NetworkWeights,
    states: Any,
    workspace: StepWorkspace,
    outputs: Vector,
    output_logs: Vector,
    tile: Tile,
) -> None:
    """Run n time steps. In each step a stream reads one symbol, and may choose the symbol that it reads next.

    Args:
        inputs: (n, B) integers, the symbols to read; -1 to read the symbol that the stream chose last.
        uniforms: (n, B), random numbers in [0, 1) for the choices; negative for no choice (inside a prompt).
        current: (B,) integers, the symbol that each stream read or chose last; overwritten.
        rules: the sampling settings; `seen` is updated.
        document_end: id before which the state of a stream is set to zero; -1 for none.
        weights: the network.
        states: each field (L, B, H); overwritten.
        workspace: overwritten.
        outputs: (n, B) integers, the chosen symbols; written.
        output_logs: (n, B), log p of the chosen symbols by the network before any sampling rule; written.
        tile: width of the vectors over hidden units.
    """
    steps, B = inputs.shape
    for t in range(steps):
        choosing = False
        for s in range(B):
            if inputs[t, s] >= 0:
                current[s] = inputs[t, s]
            choosing = choosing or uniforms[t, s] >= 0
            if current[s] == document_end:
                for field in states:
                    clear(field, s)
        advance(current, weights, states, workspace, tile)
        if not choosing:
            continue
        project(states.h, weights, workspace.logits, workspace.packed)
        copy_columns(workspace.logits, 0, workspace.logs)
        log_softmax(workspace.logs, workspace.sums)
        for s in range(B):
            if uniforms[t, s] >= 0:
                k = choose(workspace.x, workspace.parts, workspace.logits, workspace.logs, rules, s, uniforms[t, s])
                current[s] = outputs[t, s] = k
                output_logs[t, s] = workspace.logs[s, k]
                rules.seen[s, k] = True
