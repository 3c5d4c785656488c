"""The same mathematics, executed: `reference` in float64 NumPy, the truth in every test, and `compiled` for a CPU."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from recurra.config import ModelConfig, TrainingConfig
    from recurra.engines.compiled import CompiledEngine, CompiledNetwork
    from recurra.engines.reference import ReferenceEngine, ReferenceNetwork

    Engine = CompiledEngine | ReferenceEngine
    Network = CompiledNetwork | ReferenceNetwork


def resolve(config: ModelConfig, training: TrainingConfig) -> str:
    """The engine that `auto` stands for: compiled where it has kernels for the network, else reference."""
    if training.engine != "auto":
        return training.engine
    from recurra.engines import compiled

    return "compiled" if compiled.supports(config, training) else "reference"


def create(config: ModelConfig, training: TrainingConfig, *arguments: Any, **named: Any) -> Engine:
    """The engine of `training`, built with the arguments that every engine takes."""
    if resolve(config, training) == "compiled":
        from recurra.engines.compiled import CompiledEngine

        return CompiledEngine(config, training, *arguments, **named)
    from recurra.engines.reference import ReferenceEngine

    return ReferenceEngine(config, training, *arguments, **named)


def create_network(config: ModelConfig, parameters: Any) -> Network:
    """The trained network for sampling and scoring: strict kernels where there are any, else the reference."""
    from recurra.engines import compiled

    if compiled.reads(config):
        return compiled.CompiledNetwork(parameters)
    from recurra.engines.reference import ReferenceNetwork

    return ReferenceNetwork(config, parameters)
