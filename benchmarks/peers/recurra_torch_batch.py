"""Ours with engine torch, on the CPU or on the GPU that it finds, called as the trainer calls it."""

from __future__ import annotations

from peers import recurra_batch


class Peer(recurra_batch.Peer):
    """A training that `train` continues."""

    engine_name = "torch"
