"""Engines: implementations of the mathematics of `network`. The trainer decides what to run; an engine computes it.

    engine            the interface of every engine
    reference         the engine `reference`: the equations of `network` in float64 NumPy, with which tests compare

The engine `compiled` computes in strict float32, with the same bits on every CPU. Its kernels are in `kernels`.

    fused             one elman layer with tanh, one stream and AdaGrad, in one kernel
    batched           every other network, on several cores: `sharding` divides a batch, `shard` trains a part of it
    flat_optimizer    the update of all parameters; `in_place_optimizers` has the optimizers, `parameter_layout` and
                      `flat_parameters` arrange the parameters in one array
    stepper           run a trained network step by step, for sampling
    dynamic_updates   a network that learns while it reads
    thread_team       the threads of these engines; `workspaces` lends them memory

The engine `torch` computes in float32 with PyTorch, on a CPU or a GPU. PyTorch is an optional dependency.

    torch_engine      the engine; `torch_network` has its layers, `torch_device` selects the device

Letters: T time steps, B streams (the batch), L layers, H hidden units, K symbols, N elements in all parameters.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from recurra.config import ModelConfig, TrainingConfig
    from recurra.engines.batched import BatchedNetwork
    from recurra.engines.engine import Engine, ProcessGroup, Start
    from recurra.engines.stepper import Stepper

    Network = BatchedNetwork  # the trained network for scoring


def create(config: ModelConfig, training: TrainingConfig, start: Start, ranks: ProcessGroup | None = None) -> Engine:
    """Return the engine that `training` names, ready to train from `start`; `auto` is the engine `compiled`.

    With `ranks`, this process is one of several, and its engine trains a part of the streams. Raises UsageError if the
    streams cannot be divided among the processes.
    """
    from recurra.engines import fused
    from recurra.engines.sharding import streams_of_rank

    streams_of_rank(training, ranks)  # raises UsageError if the processes cannot share the streams
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
    """Return the trained network for scoring, with the same arithmetic as in training."""
    from recurra.engines.batched import BatchedNetwork

    return BatchedNetwork(config, parameters)


def create_stepper(config: ModelConfig, parameters: Any) -> Stepper:
    """Return the trained network for sampling: it runs step by step, with any number of streams."""
    from recurra.engines.stepper import Stepper

    return Stepper(config, parameters)
