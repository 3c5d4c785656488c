"""Import PyTorch or explain how to install it, select the device, and set PyTorch's options during training."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from recurra.errors import UsageError
from recurra.system.optional_dependencies import install

TORCH_HINT = install("torch")


def require_torch(feature: str = "engine `torch`") -> Any:
    """Return the module `torch`. Raises UsageError, with `feature` in the message, if PyTorch is not installed."""
    try:
        import torch
    except ImportError as error:
        raise UsageError(f"{feature} needs PyTorch, which cannot be imported: {error}.", hint=TORCH_HINT) from error
    return torch


def select_device(name: str, number: int = 0) -> Any:
    """Return the torch.device for the setting `device`: the CPU or GPU `number`. Raises UsageError without that GPU."""
    torch = require_torch()
    has_gpu = torch.cuda.is_available()
    if name == "cuda" and not has_gpu:
        reason = "is built for CPUs only" if torch.version.cuda is None else "finds no GPU"
        raise UsageError(
            f"`device` is `cuda`, but no GPU can be used: PyTorch {torch.__version__} {reason}.",
            hint="use `--device auto`, which falls back to the CPU, or install a build for GPUs from pytorch.org.",
        )
    if not has_gpu or name == "cpu":
        return torch.device("cpu")
    if number >= torch.cuda.device_count():
        raise UsageError(
            f"process {number} of this machine has no GPU; number of GPUs: {torch.cuda.device_count()}.",
            hint="start one process for each GPU of a machine, with `torchrun --nproc-per-node gpu`.",
        )
    return torch.device("cuda", number)


@contextlib.contextmanager
def temporary_settings(threads: int) -> Iterator[None]:
    """Use `threads` CPU threads and full float32 precision in a `with` block; then restore PyTorch's settings.

    By default, cuDNN multiplies with 10 instead of 23 bits of the mantissa (TF32) on GPUs with tensor cores.
    """
    torch = require_torch()
    threads_before, tf32_before = torch.get_num_threads(), torch.backends.cudnn.allow_tf32
    torch.set_num_threads(threads)
    torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.set_num_threads(threads_before)
        torch.backends.cudnn.allow_tf32 = tf32_before
