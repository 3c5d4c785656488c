"""What every engine gives back from training."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class TrainResult(NamedTuple):
    """One number an update: `losses` (n,) in nats, summed over the T · B characters, and `gradient_norms` (n,), the
    Euclidean norm of all gradients together before clipping.
    """

    losses: NDArray[np.float64]
    gradient_norms: NDArray[np.float64]
