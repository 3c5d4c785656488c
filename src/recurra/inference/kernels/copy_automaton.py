"""The suffix automaton of a short text, and a long text read through it: both in linear time.

A state stands for substrings that end at the same places; `link` leads to the longest suffix that ends at more of them,
`length` is the longest that it stands for. After A. Blumer et al., "The smallest automaton recognizing the subwords of
a text" (Theoretical Computer Science 40, 1985). At most 2 n states and their transitions are held: no more than the
short text asks for, however long the other one is.
"""

from __future__ import annotations

from typing import NamedTuple

from recurra.engines.kernels.compilation import strict
from recurra.engines.kernels.lanes import Vector


class Automaton(NamedTuple):
    """following (2 n, K): the state after symbol k, or -1; link, length (2 n,) int64; state 0 is the empty string."""

    following: Vector
    link: Vector
    length: Vector


class Visits(NamedTuple):
    """What reading left in each state (2 n,): the longest match that ended there, where it first did, and where any
    first did; places count the symbols read, -1 where there is none.
    """

    longest: Vector
    place: Vector
    any: Vector


@strict
def build(symbols: Vector, automaton: Automaton, ends: Vector) -> int:
    """Fill the automaton of `symbols` (n,); ends[i] becomes the state of the prefix of i + 1. Returns the states."""
    following, link, length = automaton
    link[0], states, last = -1, 1, 0
    for i in range(len(symbols)):
        symbol, state = symbols[i], states
        states += 1
        length[state] = length[last] + 1
        p = last
        while p >= 0 and following[p, symbol] < 0:
            following[p, symbol] = state
            p = link[p]
        if p < 0:
            link[state] = 0
        elif length[following[p, symbol]] == length[p] + 1:
            link[state] = following[p, symbol]
        else:
            q, clone = following[p, symbol], states
            states += 1
            following[clone] = following[q]
            link[clone], length[clone] = link[q], length[p] + 1
            link[q] = link[state] = clone
            while p >= 0 and following[p, symbol] == q:
                following[p, symbol] = clone
                p = link[p]
        ends[i] = last = state
    return states


@strict
def follow(symbols: Vector, start: int, automaton: Automaton, at: Vector, visits: Visits) -> None:
    """Read `symbols` (N,), -1 being one that the short text has not, from the place `start` on.

    at (2,): the state and the length of the match so far; it goes on from call to call.
    """
    following, link, length = automaton
    state, matched = at[0], at[1]
    for i in range(len(symbols)):
        symbol = symbols[i]
        if symbol < 0:
            state, matched = 0, 0
            continue
        while state > 0 and following[state, symbol] < 0:
            state = link[state]
            matched = length[state]
        if following[state, symbol] >= 0:
            state = following[state, symbol]
            matched += 1
        if state > 0 and visits.any[state] < 0:
            visits.any[state] = start + i + 1
        if matched > visits.longest[state]:
            visits.longest[state], visits.place[state] = matched, start + i + 1
    at[0], at[1] = state, matched


@strict
def settle(automaton: Automaton, order: Vector, visits: Visits) -> None:
    """What ends somewhere, its suffixes do too: visits of every state hold for all that it stands for.

    order (states,): the states by length, longest first.
    """
    _, link, length = automaton
    for state in order:
        p = link[state]
        if p > 0 and visits.any[state] >= 0:
            if visits.any[p] < 0 or visits.any[state] < visits.any[p]:
                visits.any[p] = visits.any[state]
            if visits.longest[p] < length[p] or visits.any[state] < visits.place[p]:
                visits.longest[p], visits.place[p] = length[p], visits.any[state]
    for i in range(len(order) - 1, -1, -1):
        state = order[i]
        if state > 0 and visits.longest[state] == 0:
            p = link[state]
            visits.longest[state], visits.place[state] = visits.longest[p], visits.place[p]
