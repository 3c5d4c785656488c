"""recurra: the generator of `LanguageModel.stream` and `LanguageModel.samples`."""

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
    """A generator of several texts at once."""

    def __init__(self, shape: Shape, parameters: Parameters, threads: int) -> None:  # noqa: ARG002 - it uses all cores
        symbols = len(parameters["c"])
        self.streams = shape.batch
        self.model = LanguageModel(
            shape.config(), Vocabulary(np.arange(symbols, dtype=np.uint32) + ord("\n")), parameters
        )
        self.write(1)

    def write(self, count: int) -> None:
        """Generate `count` characters of every text at temperature 1, each text with another seed."""
        generator: Generator = self.model.generator()
        for seed in range(self.streams):
            generator.add(np.zeros(0, np.int64), SamplingConfig(max_new_tokens=count, seed=seed))
        while len(generator):
            generator.step()

    def likeliest(self, count: int) -> NDArray[np.int64]:
        """Return the ids of one text at temperature 0."""
        return self.model.vocabulary.encode(self.model.sample(max_new_tokens=count, temperature=0)).astype(np.int64)
