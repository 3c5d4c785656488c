"""PyTorch, the extra: whether it is there, and what to say where it is not."""

from __future__ import annotations

from typing import Any

from recurra.errors import UsageError

HINT = "pip install 'recurra[torch]'"


def required(what: str = "engine torch") -> Any:
    """The module `torch`; UsageError that `what` needs it where it is not installed."""
    try:
        import torch
    except ImportError as error:
        raise UsageError(f"{what} needs PyTorch, which cannot be imported: {error}.", hint=HINT) from error
    return torch


def device_of(name: str) -> Any:
    """The torch.device that the setting `device` names; UsageError for `cuda` where PyTorch finds no GPU."""
    torch = required()
    there = torch.cuda.is_available()
    if name == "cuda" and not there:
        build = "is built for CPUs" if torch.version.cuda is None else "finds none"
        raise UsageError(
            f"`device` is cuda, and there is no GPU to be used: PyTorch {torch.__version__} {build}.",
            hint="`--device auto` takes the CPU where there is no GPU; pytorch.org has builds for GPUs.",
        )
    return torch.device("cuda" if there and name != "cpu" else "cpu")
