"""Loss curves of a run, thinned for drawing, and the names of the baselines beside them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from recurra.runs.records import MetricsLine

MAX_POINTS: Final = 2000
BASELINES: Final = {
    "uniform": "uniform",
    "unigram": "unigram",
    "gzip": "gzip \u22129",
    "bzip2": "bzip2 \u22129",
    "xz": "xz \u22129e",
}


def decimate(records: Sequence[MetricsLine], limit: int = MAX_POINTS) -> list[MetricsLine]:
    """Return at most `limit` records whose curve looks the same.

    Each block of records becomes two: the records with its lowest and its highest smooth loss, both with the lowest,
    mean and highest loss of the block. The first and the last record stay.
    """
    if len(records) <= limit:
        return list(records)
    inner = records[1:-1]
    size = math.ceil(len(inner) / (limit // 2 - 1))
    kept = [records[0]]
    for start in range(0, len(inner), size):
        block = inner[start : start + size]
        low, high = min(record.low for record in block), max(record.high for record in block)
        mean = math.fsum(record.mean for record in block) / len(block)
        ends = {min(block, key=_smooth), max(block, key=_smooth)}
        kept += [end._replace(low=low, mean=mean, high=high) for end in sorted(ends)]
    return [*kept, records[-1]]


def _smooth(record: MetricsLine) -> float:
    return record.smooth
