"""Check the gradients of every kind of network: each cell, 1 to 3 layers, with and without dropout, 1 and 3 streams.

The networks are small. T, B, H and K all differ, so that the check finds exchanged axes. Weights, biases and the
initial state are random, so that no gradient is zero by accident.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from recurra.config import ModelConfig
from recurra.network.cells import CELLS, cell_of
from recurra.network.dropout import dropout_masks
from recurra.network.gradient_check import COMPLEX_TOLERANCE, Figures, JudgedFigures, check, group_by_letter
from recurra.network.parameters import parameter_shapes
from recurra.system.random_streams import stream

if TYPE_CHECKING:
    from collections.abc import Iterator

    from recurra.network.parameters import Array
    from recurra.system.random_streams import Stream

NETWORKS: Final[dict[str, dict[str, Any]]] = {
    spec.variant(activation, " "): {"cell": name, "activation": activation}
    for name, spec in CELLS.items()
    for activation in spec.activations
}
LAYERS, DROPOUT, STREAMS = (1, 2, 3), (0.0, 0.4), (1, 3)
T, H, K = 6, 4, 5
SCALE: Final = 0.7  # standard deviation of the weights: gates are neither closed nor linear


def configurations() -> Iterator[tuple[str, int, float, int]]:
    """Yield (network, layers, dropout, streams) of every check. A network of one layer has no dropout."""
    for name, layers, dropout, streams in itertools.product(NETWORKS, LAYERS, DROPOUT, STREAMS):
        if layers > 1 or not dropout:
            yield name, layers, dropout, streams


def survey(seed: int = 0) -> dict[str, dict[str, JudgedFigures]]:
    """Check all `configurations`; return the largest differences by network and letter.

    The complex step decides if a check passes.
    """
    worst: dict[str, dict[str, Figures]] = {name: {} for name in NETWORKS}
    for number, (name, layers, dropout, streams) in enumerate(configurations()):
        numbers = stream(seed, f"survey {number}")
        config = ModelConfig(hidden_size=H, layers=layers, **NETWORKS[name])
        figures = group_by_letter(_check(config, dropout, streams, numbers))
        for letter, figure in figures.items():
            before = worst[name].get(letter)
            worst[name][letter] = figure if before is None else before.worst_of(figure)
    return {name: {letter: _judge(figure) for letter, figure in letters.items()} for name, letters in worst.items()}


def _check(config: ModelConfig, dropout: float, streams: int, numbers: Stream) -> dict[str, Figures]:
    shapes = parameter_shapes(config, K)
    kind: Any = cell_of(config).state
    return check(
        config,
        {name: SCALE * _normal(numbers, shape) for name, shape in shapes.items()},
        _ids(numbers, streams),
        _ids(numbers, streams),
        kind(*(SCALE * _normal(numbers, (config.layers, streams, H)) for _ in kind._fields)),
        masks=dropout_masks(config, streams, dropout, numbers) if dropout else None,
    )


def _normal(numbers: Stream, shape: tuple[int, ...]) -> Array:
    return numbers.normal(int(np.prod(shape))).reshape(shape)


def _ids(numbers: Stream, streams: int) -> Array:
    return (numbers.uniform(T * streams) * K).astype(np.int64).reshape(T, streams)


def _judge(figure: Figures) -> JudgedFigures:
    passed = figure.max_rel_complex <= COMPLEX_TOLERANCE
    return JudgedFigures(*figure[:3], None, passed, figure.checked, figure.elements)
