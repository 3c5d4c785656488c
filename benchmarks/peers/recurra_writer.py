"""Ours: what `LanguageModel.stream` and `LanguageModel.samples` write with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from peers.batch_setting import Parameters, Shape
from recurra.inference.generation import Generator
from recurra.inference.sampling import SamplingConfig
from recurra.model import LanguageModel
from recurra.text.vocabulary import Vocabulary

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Peer:
    """Texts of which `write` writes as many characters each as it is told."""

    def __init__(self, shape: Shape, parameters: Parameters, threads: int) -> None:  # noqa: ARG002 - it takes all cores
        symbols = len(parameters["c"])
        self.streams = shape.batch
        self.model = LanguageModel(
            shape.config(), Vocabulary(np.arange(symbols, dtype=np.uint32) + ord("\n")), parameters
        )
        self.write(1)

    def write(self, count: int) -> None:
        """`count` characters of every text, each at temperature 1 from its own seed."""
        generator: Generator = self.model.generator()
        for seed in range(self.streams):
            generator.add(np.zeros(0, np.int64), SamplingConfig(max_new_tokens=count, seed=seed))
        while len(generator):
            generator.step()

    def likeliest(self, count: int) -> NDArray[np.int64]:
        """The ids of one text at temperature 0."""
        return self.model.vocabulary.encode(self.model.sample(max_new_tokens=count, temperature=0)).astype(np.int64)
