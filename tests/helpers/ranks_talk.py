"""What `test_ranks` starts two of: each says on stdout, as JSON, what it has got from the other."""

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
found: dict[str, object] = {"rank": ranks.rank, "lead": ranks.is_leader, "cpus": ranks.cpus}


def failing() -> int:
    if ranks.rank == 1:
        raise TextError("no text here.", hint="bring one.")
    return 7


arrays: dict[str, np.ndarray] = {"a": np.arange(6, dtype=np.float32).reshape(2, 3).T, "b": np.array([2**60], np.int64)}
if ranks.is_leader:
    ranks.send({"do": "é\ud800"}, arrays)
else:
    message, heard = ranks.receive()
    found["heard"] = [message, {name: array.tolist() for name, array in heard.items()}]
found["gathered"] = [data.decode() for data in ranks.gather(b"from" + b"!" * ranks.rank)]
found["together"] = ranks.run_together(lambda: ranks.rank)
try:
    ranks.run_together(failing)
except RecurraError as error:
    found["failed"] = [type(error).__name__, error.message, error.hint]
numbers = torch.tensor([1.0, 2.0]) * (ranks.rank + 1)
ranks.add(numbers)
found["added"] = numbers.tolist()
# The order of these sums can be seen: 1e8 + 3 - 1e8 is 0 in float32, 1e8 - 1e8 + 3 is 3.
shards = [np.array([[1e8, 1, 2, 3, 4]]), np.array([[3, 1, 2, 3, 4]]), np.array([[-1e8, 1, 2, 3, 4]]), np.zeros((1, 5))]
mine = [shard.astype(np.float32) for shard in shards[2 * ranks.rank : 2 * ranks.rank + 2]]
found["losses"] = ranks.gradient_sum(5, 2).sum_shards(mine, [ranks.rank + 1 / 3, ranks.rank + 1e-9])
found["sum"] = mine[0].tolist()
if ranks.is_leader:  # which then ends
    ranks.leave()
else:
    try:
        ranks.receive()
    except LostProcessError as error:
        found["lost"] = [error.message, error.hint]
print(json.dumps(found))
