"""The model of a run for the live page: its best checkpoint in packed form, and the check of its gradients."""

from __future__ import annotations

import threading
from http import HTTPStatus
from pathlib import Path
from typing import Any

from recurra.errors import ModelError
from recurra.io import tensor_file
from recurra.model import from_tensors
from recurra.network.parameters import count
from recurra.runs.gradient_proof import prove_model
from recurra.runs.saved_model import checkpoint_name, locate
from recurra.runs.summary import PROOF_LIMIT
from recurra.serving.responses import HTTPError, queue_full
from recurra.web.inlined_model import update_of
from recurra.web.packed_model import pack


class RunModel:
    """The model of one run directory; it reads every checkpoint once for all pages."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._reading, self._checking = threading.Lock(), threading.Lock()
        self._packed: tuple[Path, float, bytes] | None = None

    def packed(self) -> bytes:
        """Return the packed model; ModelError if there is no checkpoint, CheckpointError if it is damaged."""
        with self._reading:
            path = locate(self._folder)
            written = _written(path)
            if self._packed is None or self._packed[:2] != (path, written):
                tensors, metadata = tensor_file.read(path)
                model = from_tensors(path, tensors, metadata)
                name = checkpoint_name(path, metadata)
                self._packed = (path, written, pack(model, update_of(metadata), name))
            return self._packed[2]

    def check(self) -> dict[str, Any]:
        """Compare the gradients of the model with numerical ones; HTTPError if the network is too large."""
        if not self._checking.acquire(blocking=False):
            raise queue_full("another check is running.", 10)
        try:
            path = locate(self._folder)
            size = count(from_tensors(path, *tensor_file.read(path)).parameters)
            if size > PROOF_LIMIT:
                raise HTTPError(
                    HTTPStatus.UNPROCESSABLE_ENTITY,
                    f"the network has {size:,} parameters, above the limit of {PROOF_LIMIT:,} for this page. "
                    "In a terminal, run: recurra check RUN_DIRECTORY",
                    code="too_large",
                )
            return prove_model(path)
        finally:
            self._checking.release()


def _written(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError as error:
        raise ModelError(f"the checkpoint `{path.name}` no longer exists.") from error
