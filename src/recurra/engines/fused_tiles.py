"""The tile sizes of the fused kernel. They determine the order of its sums, and therefore its bits."""

from __future__ import annotations

from typing import NamedTuple

from recurra.config import ModelConfig
from recurra.engines.kernels.lanes import WIDTH, Tile
from recurra.network.cells import elman

MAX_GROUPS = 16  # groups of 8 lanes in a tile: they fit in the registers of a CPU with AVX-512


class Tiling(NamedTuple):
    """A size, and the size padded to whole tiles: `width` lanes, in tiles of 8 · len(tile) lanes."""

    size: int
    width: int
    tile: Tile

    @classmethod
    def of(cls, size: int) -> Tiling:
        """Return the tiling of `size` with the fewest tiles that fit in the registers, each as narrow as possible."""
        groups = -(-size // WIDTH)
        tiles = -(-groups // MAX_GROUPS)
        per_tile = -(-groups // tiles)
        return cls(size, WIDTH * per_tile * tiles, (0,) * per_tile)


def is_single_tanh_layer(config: ModelConfig) -> bool:
    """Return True if the network is one elman layer with tanh, for which the fused kernels exist."""
    return (config.cell, config.activation, config.layers) == (elman.SPEC.name, "tanh", 1)
