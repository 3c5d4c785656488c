"""A trained network a step at a time, S streams side by side: it reads what is given, or writes.

A block of steps is one call. Every stream's sums are those that it would have alone: `row_multiply` and `multiply` go
through them in the same order.
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
from recurra.engines.kernels.softmax import log_softmax


class NetworkWeights(NamedTuple):
    """The weights of L layers of H units with G gates each; H and K are multiples of 16 here.

    inputs: U of every layer; cell: the `StepWeights` of the cell; V^T in panels; c (1, K)
    """

    inputs: InputWeights
    cell: Any
    V: Vector
    c: Vector


class StepWorkspace(NamedTuple):
    """The arrays that a step of S streams writes besides the state.

    cell: those of the cell; logits and logs (S, K), x (1, K), parts (K,) float64, sums (1, S in multiples of 16),
    packed (256, 8)
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
    """Read `ids` (S,): the state, each field (L, S, H), advances by one step."""
    for number in range(states.h.shape[0]):
        step(number, ids, weights.inputs, weights.cell, states, workspace.cell, workspace.packed, tile)


@strict
def clear(field: Vector, s: int) -> None:
    """field[:, s] = 0: field (L, S, H) of the state."""
    for number in range(field.shape[0]):
        for k in range(field.shape[2]):
            field[number, s, k] = ZERO


@strict
def project(h: Vector, weights: NetworkWeights, logits: Vector, packed: Vector, symbol_tile: Tile) -> None:
    """logits (S, K) = c + V h of the last layer; h (L, S, H)."""
    last = h[h.shape[0] - 1]
    set_rows(logits, weights.c, 0, symbol_tile)
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
    symbol_tile: Tile,
) -> None:
    """log p over the character after each of `ids` (T, S): logs (T S, K), with sums (1, T S) as workspace."""
    S = ids.shape[1]
    for t in range(ids.shape[0]):
        advance(ids[t], weights, states, workspace, tile)
        project(states.h, weights, logs[t * S : t * S + S], workspace.packed, symbol_tile)
    log_softmax(logs, sums, symbol_tile)


@strict
def write(
    given: Vector,
    uniforms: Vector,
    current: Vector,
    rules: Rules,
    document_end: int,
    weights: NetworkWeights,
    states: Any,
    workspace: StepWorkspace,
    written: Vector,
    found: Vector,
    tile: Tile,
    symbol_tile: Tile,
) -> None:
    """n steps: each stream reads a character and, where it is asked to, chooses the next, which it then reads.

    given (n, S): the ids to be read, -1 where that is what the stream chose last, which is in current (S,)
    uniforms (n, S): the number that decides the choice, below 0 where there is none (a prompt is being read)
    document_end: the state of a stream becomes zero before the stream reads this id; -1: no id does that
    written (n, S): what was chosen; found (n, S): its log p by the model itself, before any rule
    """
    steps, S = given.shape
    for t in range(steps):
        choosing = False
        for s in range(S):
            if given[t, s] >= 0:
                current[s] = given[t, s]
            choosing = choosing or uniforms[t, s] >= 0
            if current[s] == document_end:
                for field in states:
                    clear(field, s)
        advance(current, weights, states, workspace, tile)
        if not choosing:
            continue
        project(states.h, weights, workspace.logits, workspace.packed, symbol_tile)
        copy_columns(workspace.logits, 0, workspace.logs)
        log_softmax(workspace.logs, workspace.sums, symbol_tile)
        for s in range(S):
            if uniforms[t, s] >= 0:
                k = choose(workspace.x, workspace.parts, workspace.logits, workspace.logs, rules, s, uniforms[t, s])
                current[s] = written[t, s] = k
                found[t, s] = workspace.logs[s, k]
                rules.seen[s, k] = True
