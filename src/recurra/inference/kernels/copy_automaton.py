"""The suffix automaton of a short text, and its walk through a long text. Both take linear time.

A state represents all substrings that end at the same set of positions in the short text. `length` is the length of the
longest of them. `link` leads to the state of its longest suffix that ends at more positions. A text of n symbols has at
most 2 n states, so that the memory does not depend on the long text. Source: A. Blumer et al., "The smallest automaton
recognizing the subwords of a text" (Theoretical Computer Science 40, 1985).

n counts the symbols of the short text, K the vocabulary. State 0 is the empty string.
"""

from __future__ import annotations

from typing import NamedTuple

from recurra.engines.kernels.compilation import strict
from recurra.engines.kernels.lanes import Vector


class Automaton(NamedTuple):
    """The states of the automaton.

    following: (2 n, K) integers, the state after each symbol, or -1.
    link: (2 n,) int64, the suffix link of each state.
    length: (2 n,) int64, the length of the longest substring of each state.
    """

    following: Vector
    link: Vector
    length: Vector


class Visits(NamedTuple):
    """The matches of the long text, by the state in which they end.

    A place counts the symbols of the long text up to the end of a match; -1 if there is no match.

    longest: (2 n,), the length of the longest match.
    place: (2 n,), the first place of the longest match.
    any: (2 n,), the first place of any match.
    """

    longest: Vector
    place: Vector
    any: Vector


@strict
def build(symbols: Vector, automaton: Automaton, ends: Vector) -> int:
    """Build the automaton of the short text.

    Args:
        symbols: (n,) integers, the short text.
        automaton: `following` is -1 everywhere, the other arrays are zero; written.
        ends: (n,) integers; ends[i] becomes the state of the prefix of length i + 1.
    Returns: the number of states.
    """
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
            for k in range(following.shape[1]):  # a loop: to assign rows, Numba compiles 30 functions
                following[clone, k] = following[q, k]
            link[clone], length[clone] = link[q], length[p] + 1
            link[q] = link[state] = clone
            while p >= 0 and following[p, symbol] == q:
                following[p, symbol] = clone
                p = link[p]
        ends[i] = last = state
    return states


@strict
def follow(symbols: Vector, start: int, automaton: Automaton, at: Vector, visits: Visits) -> None:
    """Walk through part of the long text and record the matches.

    Args:
        symbols: (N,) integers, the part; -1 for a symbol that is not in the short text.
        start: position of the part in the long text.
        automaton: from `build`.
        at: (2,), the state and the length of the current match, which continues from part to part; updated.
        visits: the matches; updated.
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
    """Complete the matches after the walk: a match of a string is a match of all its suffixes, too.

    Args:
        automaton: from `build`.
        order: (states,) integers, the states in descending order of length.
        visits: the matches of the walk; updated to the matches of all substrings.
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
