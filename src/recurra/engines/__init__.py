"""Engines: programs that execute the mathematics of `network`; they compute and do not decide.

engine            the interface of every engine
reference         the engine `reference`, float64 NumPy, the equations as they stand: the truth in every test

The engine `compiled` is strict float32, the same bits on every CPU; its kernels are in `kernels`:

fused             one elman layer with tanh, one stream and AdaGrad, in one kernel; `fused_tiles` fixes its sums
batched           every other network, on several cores: `sharding` divides a batch, `shard` trains a part of it
flat_optimizer    the update of all parameters, which `in_place_optimizers` computes; `parameter_layout` and
                  `flat_parameters` arrange them in one array
stepper           a trained network step by step, for sampling
dynamic_updates   a network that learns while it reads
thread_team       the threads of these engines; `workspaces` are their memory

torch_engine      the engine `torch`, PyTorch in float32, on a CPU or a GPU: an extra, imported only when it is chosen;
                  `torch_network` has its layers, `torch_device` finds the device
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from recurra.config import ModelConfig, TrainingConfig
    from recurra.engines.batched import BatchedNetwork
    from recurra.engines.engine import Engine, ProcessGroup, Start
    from recurra.engines.fused import FusedNetwork
    from recurra.engines.stepper import Stepper

    Network = FusedNetwork | BatchedNetwork


def create(config: ModelConfig, training: TrainingConfig, start: Start, ranks: ProcessGroup | None = None) -> Engine:
    """The engine of `training`, `auto` being compiled, that goes on from `start`.

    As one of several processes, `ranks`, it trains a part of the streams; UsageError where they cannot be shared.
    """
    from recurra.engines import fused
    from recurra.engines.sharding import streams_of_rank

    streams_of_rank(training, ranks)  # refuses what trains in one process
    if training.engine == "torch":
        from recurra.engines.torch_device import require_torch

        require_torch()
        from recurra.engines.torch_engine import TorchEngine

        return TorchEngine(config, training, start, ranks)
    if training.engine == "reference":
        from recurra.engines.reference import ReferenceEngine

        return ReferenceEngine(config, training, start)
    if fused.supports(config, training):
        return fused.FusedEngine(config, training, start)
    from recurra.engines.batched import BatchedEngine

    return BatchedEngine(config, training, start, ranks)


def create_network(config: ModelConfig, parameters: Any) -> Network:
    """The trained network for sampling and scoring, in the arithmetic of its training."""
    from recurra.engines.fused_tiles import is_single_tanh_layer

    if is_single_tanh_layer(config):
        from recurra.engines.fused import FusedNetwork

        return FusedNetwork(parameters)
    from recurra.engines.batched import BatchedNetwork

    return BatchedNetwork(config, parameters)


def create_stepper(config: ModelConfig, parameters: Any) -> Stepper:
    """The trained network a step at a time, any number of streams side by side: what writes."""
    from recurra.engines.stepper import Stepper

    return Stepper(config, parameters)
