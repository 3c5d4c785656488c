"""The program that `test_ranks` starts twice; each process prints, as JSON, the data that it received."""

from __future__ import annotations

import json
from typing import cast

import numpy as np
import torch

from recurra.distributed.ranks import LostProcessError, Ranks, current
from recurra.errors import RecurraError, TextError

ranks = cast(Ranks, current())
assert isinstance(ranks, Ranks)
assert ranks is current()
report: dict[str, object] = {"rank": ranks.rank, "is_leader": ranks.is_leader, "cpus": ranks.cpus}


def failing() -> int:
    if ranks.rank == 1:
        raise TextError("no text here.", hint="bring one.")
    return 7


arrays: dict[str, np.ndarray] = {"a": np.arange(6, dtype=np.float32).reshape(2, 3).T, "b": np.array([2**60], np.int64)}
if ranks.is_leader:
    ranks.send({"do": "é\ud800"}, arrays)
else:
    message, received = ranks.receive()
    report["received"] = [message, {name: array.tolist() for name, array in received.items()}]
report["gathered"] = [data.decode() for data in ranks.gather(b"from" + b"!" * ranks.rank)]
report["together"] = ranks.run_together(lambda: ranks.rank)
try:
    ranks.run_together(failing)
except RecurraError as error:
    report["failed"] = [type(error).__name__, error.message, error.hint]
numbers = torch.tensor([1.0, 2.0]) * (ranks.rank + 1)
ranks.add(numbers)
report["added"] = numbers.tolist()
# The result shows the order of the sums: 1e8 + 3 - 1e8 is 0 in float32, 1e8 - 1e8 + 3 is 3.
shards = [np.array([[1e8, 1, 2, 3, 4]]), np.array([[3, 1, 2, 3, 4]]), np.array([[-1e8, 1, 2, 3, 4]]), np.zeros((1, 5))]
gradients = [shard.astype(np.float32) for shard in shards[2 * ranks.rank : 2 * ranks.rank + 2]]
report["losses"] = ranks.gradient_sum(5, 2).sum_shards(gradients, [ranks.rank + 1 / 3, ranks.rank + 1e-9])
report["sum"] = gradients[0].tolist()
if ranks.is_leader:  # the leader then ends
    ranks.leave()
else:
    try:
        ranks.receive()
    except LostProcessError as error:
        report["lost"] = [error.message, error.hint]
print(json.dumps(report))
