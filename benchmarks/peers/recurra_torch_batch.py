"""recurra with engine torch, on a GPU if there is one, else on the CPU, called like the trainer calls it."""

from __future__ import annotations

from peers import recurra_batch


class Peer(recurra_batch.Peer):
    """A training; `train` continues it."""

    engine_name = "torch"
