"""The tiles of the fused kernel: they fix the order of its sums, and so its bits."""

from __future__ import annotations

from typing import NamedTuple

from recurra.config import ModelConfig
from recurra.engines.kernels.lanes import WIDTH, Tile
from recurra.network.cells import elman

MAX_GROUPS = 16  # of 8 lanes: what stays in the registers of a CPU with AVX-512


class Tiling(NamedTuple):
    """A size, padded to whole tiles: `width` lanes in tiles of 8 · len(tile)."""

    size: int
    width: int
    tile: Tile

    @classmethod
    def of(cls, size: int) -> Tiling:
        """As few tiles as the registers allow, and those as narrow as can be."""
        groups = -(-size // WIDTH)
        tiles = -(-groups // MAX_GROUPS)
        per_tile = -(-groups // tiles)
        return cls(size, WIDTH * per_tile * tiles, (0,) * per_tile)


def is_single_tanh_layer(config: ModelConfig) -> bool:
    """Whether there are kernels for this network: one elman layer with tanh."""
    return (config.cell, config.activation, config.layers) == (elman.SPEC.name, "tanh", 1)
