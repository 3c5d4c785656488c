"""Find the device that PyTorch uses, and explain how to install PyTorch if it is missing."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from recurra.errors import UsageError
from recurra.system.optional_dependencies import install

TORCH_HINT = install("torch")


def require_torch(what: str = "engine torch") -> Any:
    """The module `torch`; UsageError that `what` needs it where it is not installed."""
    try:
        import torch
    except ImportError as error:
        raise UsageError(f"{what} needs PyTorch, which cannot be imported: {error}.", hint=TORCH_HINT) from error
    return torch


def select_device(name: str, number: int = 0) -> Any:
    """The torch.device of the setting `device`, the GPU `number` of several; UsageError where there is no such GPU."""
    torch = require_torch()
    there = torch.cuda.is_available()
    if name == "cuda" and not there:
        build = "is built for CPUs" if torch.version.cuda is None else "finds none"
        raise UsageError(
            f"`device` is cuda, and there is no GPU to be used: PyTorch {torch.__version__} {build}.",
            hint="`--device auto` takes the CPU where there is no GPU; pytorch.org has builds for GPUs.",
        )
    if not there or name == "cpu":
        return torch.device("cpu")
    if number >= torch.cuda.device_count():
        raise UsageError(
            f"process {number} of this machine has no GPU to itself: there are {torch.cuda.device_count()}.",
            hint="start as many processes a machine as it has GPUs: `--nproc-per-node gpu`.",
        )
    return torch.device("cuda", number)


@contextlib.contextmanager
def temporary_settings(threads: int) -> Iterator[None]:
    """PyTorch's settings while it trains, and after that what they were: so many threads, and float32 in full.

    On GPUs with tensor cores cuDNN would multiply 10 bits of 23 unless told otherwise.
    """
    torch = require_torch()
    before, rounded = torch.get_num_threads(), torch.backends.cudnn.allow_tf32
    torch.set_num_threads(threads)
    torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.set_num_threads(before)
        torch.backends.cudnn.allow_tf32 = rounded
