"""Streams of updates: their orders, their cursor, and the splits of a text."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from recurra.config import ORDERS
from recurra.errors import CheckpointError, TextError, UsageError
from recurra.text import id_file
from recurra.text.id_file import IdFile
from recurra.text.streams import (
    PADDING,
    STREAMS,
    Chunk,
    Cursor,
    DocumentStream,
    RandomStream,
    SequentialStream,
    ShuffledStream,
    TextStream,
    split,
    split_points,
)

sizes = st.tuples(st.integers(2, 400), st.integers(1, 12), st.integers(1, 5))
orders = st.sampled_from(sorted(STREAMS))


def stream_of(N: int, T: int, B: int, order: str = "sequential", seed: int = 0) -> TextStream:
    assume((N - 1) // (T * B) > 0)
    return STREAMS[order](np.arange(N, dtype=np.uint16), T, B, seed)


def epoch_of(stream: TextStream) -> Chunk:
    return stream.take(stream.updates_per_epoch)


def starts(chunk: Chunk) -> list[int]:
    """Return the start of each chunk in a text whose ids are 0, 1, 2 …"""
    first_ids: list[int] = chunk.inputs[:, 0].ravel().tolist()
    return first_ids


@given(sizes, orders)
def test_targets_are_next_ids_in_whole_epoch(size: tuple[int, int, int], order: str) -> None:
    N, T, B = size
    stream = stream_of(N, T, B, order)
    inputs, targets = epoch_of(stream)
    assert stream.updates_per_epoch == (N - 1) // (T * B)
    assert inputs.shape == targets.shape == (stream.updates_per_epoch, T, B)
    assert inputs.dtype == targets.dtype == np.uint16
    assert inputs.flags.c_contiguous
    assert targets.flags.c_contiguous
    assert np.array_equal(targets, inputs + 1)  # the ids are 0, 1, 2 …: each target is the next id


@given(sizes)
def test_each_stream_reads_its_own_part_in_order(size: tuple[int, int, int]) -> None:
    N, T, B = size
    inputs = epoch_of(stream_of(N, T, B)).inputs.reshape(-1, B)
    for b in range(B):
        start = b * ((N - 1) // B)
        assert np.array_equal(inputs[:, b], np.arange(start, start + len(inputs)))
    assert np.unique(inputs).size == inputs.size


@given(sizes, st.sampled_from(["shuffled", "random"]))
def test_scattered_chunks_are_contiguous(size: tuple[int, int, int], order: str) -> None:
    N, T, B = size
    inputs = epoch_of(stream_of(N, T, B, order)).inputs.astype(np.int64)
    assert np.array_equal(inputs - inputs[:, :1], np.broadcast_to(np.arange(T)[:, np.newaxis], inputs.shape))


@given(sizes, st.integers(0, 3))
def test_shuffled_epoch_has_each_chunk_at_most_once(size: tuple[int, int, int], epoch: int) -> None:
    N, T, B = size
    stream = stream_of(N, T, B, "shuffled")
    stream.cursor = Cursor(epoch, 0)
    found, chunks = starts(epoch_of(stream)), (N - 1) // T
    assert len(found) == chunks - chunks % B  # with one chunk an update: every one
    assert len(set(found)) == len(found)
    assert set(found) <= set(range(0, chunks * T, T))


def test_epochs_have_new_orders_and_drop_other_chunks() -> None:
    stream = ShuffledStream(np.arange(1 + 50 * 3, dtype=np.uint16), 3, 8)
    epochs = [starts(epoch_of(stream)) for _ in range(6)]
    assert len({tuple(epoch) for epoch in epochs}) == 6
    assert len({frozenset(epoch) for epoch in epochs}) > 1
    assert set().union(*epochs) == set(range(0, 150, 3))


def test_random_chunk_starts_are_uniform() -> None:
    stream = RandomStream(np.arange(12, dtype=np.uint16), 2, 1)  # the last chunk and its targets are 9, 10, 11
    found = [start for _ in range(2000) for start in starts(epoch_of(stream))]
    counts = np.bincount(found)
    assert len(counts) == 10
    assert np.all(np.abs(counts / len(found) - 0.1) < 0.015)


@given(sizes, st.sampled_from(["shuffled", "random"]), st.integers(0, 2**63 - 1))
def test_seed_determines_order(size: tuple[int, int, int], order: str, seed: int) -> None:
    N, T, B = size
    first, second, other = (stream_of(N, T, B, order, s) for s in (seed, seed, (seed + 1) % 2**63))
    assert all(np.array_equal(epoch_of(first), epoch_of(second)) for _ in range(2))
    if N // T > 20:  # else two orders may be alike by chance
        assert starts(epoch_of(first)) != starts(epoch_of(other))


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (ShuffledStream, [[8, 20, 24, 16, 4, 12, 28, 0], [4, 24, 20, 0, 16, 12, 28, 8]]),
        (RandomStream, [[13, 15, 19, 23, 0, 24, 23, 25], [6, 0, 27, 13, 7, 21, 28, 8]]),
    ],
)
def test_orders_equal_golden_values(kind: type[TextStream], expected: list[list[int]]) -> None:
    stream = kind(np.arange(33, dtype=np.uint16), 4, 2, 5)
    assert [starts(epoch_of(stream)) for _ in range(2)] == expected


def test_only_sequential_order_carries_state() -> None:
    assert {order: kind.carries for order, kind in STREAMS.items()} == {
        "sequential": True, "shuffled": False, "random": False,
    }  # fmt: skip
    assert tuple(STREAMS) == ORDERS


@given(sizes, orders, st.lists(st.integers(1, 20), min_size=1, max_size=30))
def test_several_takes_equal_one_take(size: tuple[int, int, int], order: str, takes: list[int]) -> None:
    stream, taken = stream_of(*size, order), 0
    for n in takes:
        assert stream.at_epoch_start == (taken == 0)
        if taken == 0:
            unbroken = stream_of(*size, order)
            unbroken.cursor = stream.cursor
            whole = epoch_of(unbroken)
        inputs, targets = stream.take(n)
        got = min(n, len(whole.inputs) - taken)
        assert len(inputs) == got
        assert np.array_equal(inputs, whole.inputs[taken : taken + got])
        assert np.array_equal(targets, whole.targets[taken : taken + got])
        taken = (taken + got) % len(whole.inputs)


@given(sizes, orders, st.lists(st.integers(1, 20), max_size=30))
def test_restored_cursor_continues_at_same_position(size: tuple[int, int, int], order: str, takes: list[int]) -> None:
    stream, restored = stream_of(*size, order), stream_of(*size, order)
    for n in takes:
        stream.take(n)
    restored.cursor = Cursor(*map(np.int64, stream.cursor))  # type: ignore[arg-type]
    for n in (3, 1, 7):
        assert restored.cursor == stream.cursor
        assert restored.at_epoch_start == stream.at_epoch_start
        assert np.array_equal(restored.take(n), stream.take(n))


@given(sizes, st.lists(st.integers(1, 20), min_size=1, max_size=10), orders)
def test_id_file_gives_same_updates_as_array(
    tmp_path_factory: pytest.TempPathFactory, size: tuple[int, int, int], takes: list[int], order: str
) -> None:
    N, T, B = size
    of_array = stream_of(N, T, B, order)
    ids = np.arange(N, dtype=np.uint16)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(id_file, "cache_folder", lambda: tmp_path_factory.getbasetemp())
        of_file = STREAMS[order](id_file.keep(f"stream-{N}", ids.dtype, N, N, [ids]), T, B)
    for n in takes:
        inputs, targets = of_file.take(n)
        assert inputs.flags.c_contiguous
        assert targets.flags.c_contiguous
        assert np.array_equal((inputs, targets), of_array.take(n))


def test_split_of_id_file_reads_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(id_file, "cache_folder", lambda: tmp_path)
    parts = split(id_file.keep("a", np.dtype(np.uint8), 10, 10, [np.arange(10, dtype=np.uint8)]), 0.2, 0.1)
    assert all(isinstance(part, IdFile) for part in parts)
    assert [part[:].tolist() for part in parts] == [[0, 1, 2, 3, 4, 5, 6], [7, 8], [9]]


texts = st.text("ab\n", min_size=1, max_size=80).filter(lambda text: text.strip("\n"))


def documents_of(text: str, T: int, B: int, seed: int = 0) -> DocumentStream:
    return DocumentStream(np.frombuffer(text.encode(), np.uint8), T, B, seed, newline=ord("\n"))


def pieces_of(stream: TextStream) -> list[str]:
    """Return the pieces of one epoch, sorted, each with the character before it."""
    pieces = []
    for _ in range(stream.updates_per_epoch):
        inputs, targets = (array[0] for array in stream.take(9))
        inside = targets != PADDING
        assert inputs.flags.c_contiguous
        assert inside.any(axis=1).all(), "a step has only padding"
        assert np.array_equal(inputs[1:][inside[1:]], targets[:-1][inside[1:]])
        for b in np.flatnonzero(inside[0]):
            length = int(inside[:, b].sum())
            assert inside[:length, b].all()
            pieces.append(bytes([inputs[0, b], *targets[:length, b].tolist()]).decode())
    return sorted(pieces)


@given(texts, st.integers(1, 9), st.integers(1, 5), st.integers(0, 2))
def test_each_document_is_read_once_an_epoch(text: str, T: int, B: int, epoch: int) -> None:
    stream = documents_of(text, T, B)
    stream.cursor = Cursor(epoch, 0)
    lines = [f"\n{line}\n" for line in text.split("\n") if line]
    assert pieces_of(stream) == sorted(line[k : k + T + 1] for line in lines for k in range(0, len(line) - 1, T))
    assert stream.cursor == (epoch + 1, 0)


@given(texts, st.integers(1, 9), st.integers(1, 5), st.integers(0, 12))
def test_restored_document_cursor_continues_at_same_position(text: str, T: int, B: int, taken: int) -> None:
    stream, restored = documents_of(text, T, B, 3), documents_of(text, T, B, 3)
    for _ in range(taken):
        stream.take(1)
    restored.cursor = stream.cursor
    for n in (1, 5, 2):
        pairs = zip(restored.take(n), stream.take(1), strict=True)
        assert all(np.array_equal(array, expected) for array, expected in pairs)
        assert restored.cursor == stream.cursor


def test_documents_of_similar_length_share_updates() -> None:
    stream = documents_of("\n".join("a" * n for n in range(1, 25)), 50, 4)
    assert stream.updates_per_epoch == 6
    assert stream.characters_per_update == round(sum(range(2, 26)) / 6)
    orders = []
    for _ in range(4):
        targets = [stream.take(1).targets[0] for _ in range(6)]
        lengths = [sorted((t != PADDING).sum(axis=0).tolist()) for t in targets]
        assert sorted(lengths) == [list(range(n, n + 4)) for n in range(2, 26, 4)]
        assert [len(t) for t in targets] == [of_update[-1] for of_update in lengths]
        orders.append(str(lengths))
    assert len(set(orders)) == 4


def test_documents_of_equal_length_are_shuffled() -> None:
    stream = documents_of("\n".join("abcdefgh"), 5, 4)
    together = {
        frozenset(frozenset(stream.take(1).targets[0, 0].tolist()) for _ in range(stream.updates_per_epoch))
        for _ in range(6)
    }
    assert len(together) > 2


@pytest.mark.parametrize("text", ["", "\n", "\n\n\n"])
def test_text_without_document_raises(text: str) -> None:
    with pytest.raises(TextError, match="no line has a character"):
        documents_of(text, 5, 2)


def test_document_take_of_zero_updates_raises() -> None:
    with pytest.raises(UsageError, match="`n` must be at least 1; got 0"):
        documents_of("ab", 5, 2).take(0)


def test_one_stream_matches_hand_computed_chunks() -> None:
    stream = SequentialStream(np.arange(80, dtype=np.uint8), 25, 1)
    assert stream.updates_per_epoch == 3
    for update in range(3):
        inputs, targets = stream.take(1)
        assert np.array_equal(inputs[0, :, 0], np.arange(25 * update, 25 * update + 25))
        assert np.array_equal(targets[0, :, 0], np.arange(25 * update + 1, 25 * update + 26))
    assert stream.cursor == Cursor(epoch=1, position=0)
    assert stream.at_epoch_start
    assert stream.take(1).inputs[0, 0, 0] == 0


def test_take_stops_at_end_of_epoch() -> None:
    stream = SequentialStream(np.arange(101), 5, 2)
    assert [len(stream.take(4).inputs) for _ in range(4)] == [4, 4, 2, 4]
    assert stream.cursor == (1, 4)


def test_one_stream_returns_views() -> None:
    ids = np.arange(1000, dtype=np.uint8)
    assert all(np.shares_memory(part, ids) for part in SequentialStream(ids, 25, 1).take(30))


@pytest.mark.parametrize("order", STREAMS)
def test_strided_ids_give_contiguous_arrays(order: str) -> None:
    ids = np.arange(200)[::2]
    inputs, targets = STREAMS[order](ids, 7, 3).take(2)
    assert np.array_equal(targets, inputs + 2)


@pytest.mark.parametrize(("N", "T", "B"), [(0, 1, 1), (1, 1, 1), (25, 25, 1), (100, 25, 4), (6, 2, 3)])
def test_too_few_ids_raise(N: int, T: int, B: int) -> None:
    with pytest.raises(TextError, match=rf"one update needs {T * B + 1} characters \({T} · {B} \+ 1\); got {N}\."):
        SequentialStream(np.zeros(N, dtype=np.uint8), T, B)
    assert SequentialStream(np.zeros(T * B + 1, dtype=np.uint8), T, B).updates_per_epoch == 1


@pytest.mark.parametrize(("T", "B"), [(0, 1), (1, 0), (-1, 1)])
def test_invalid_sizes_raise(T: int, B: int) -> None:
    with pytest.raises(UsageError, match=f"must be at least 1; got {T} and {B}"):
        SequentialStream(np.zeros(9, dtype=np.uint8), T, B)


def test_take_of_zero_updates_raises() -> None:
    with pytest.raises(UsageError, match="`n` must be at least 1; got 0"):
        SequentialStream(np.zeros(9, dtype=np.uint8), 2, 2).take(0)


@pytest.mark.parametrize("cursor", [(0, 4), (0, -1), (-1, 0)])
def test_cursor_outside_text_raises(cursor: tuple[int, int]) -> None:
    stream = SequentialStream(np.zeros(9, dtype=np.uint8), 2, 1)
    with pytest.raises(
        CheckpointError, match=r"saved position in the text, update -?\d of epoch -?\d, does not exist: .* 4 up"
    ):
        stream.cursor = cursor
    assert stream.cursor == (0, 0)


@given(st.integers(0, 10_000), st.integers(0, 99), st.integers(0, 99))
def test_split_is_exact_and_complete(N: int, v: int, t: int) -> None:
    assume(v + t < 100)
    ids = np.arange(N)
    train, validation, test = split(ids, v / 100, t / 100)
    assert len(train) == N * (100 - v - t) // 100
    assert len(train) + len(validation) == N * (100 - t) // 100
    assert np.array_equal(np.concatenate([train, validation, test]), ids)


@given(st.lists(st.integers(0, 2), max_size=60), st.integers(0, 50), st.integers(0, 49))
def test_split_with_newline_cuts_no_line(values: list[int], v: int, t: int) -> None:
    ids = np.array(values, np.uint8)
    parts = split(ids, v / 100, t / 100, newline=0)
    arrays = [part[:] for part in parts]
    assert np.array_equal(np.concatenate(arrays), ids)
    for before, cut in zip(parts, split_points(len(ids), v / 100, t / 100), strict=False):
        assert len(before) <= cut
    for k in (1, 2):
        before, after = np.concatenate(arrays[:k]), np.concatenate(arrays[k:])
        assert len(after) == 0 or len(before) == 0 or before[-1] == 0


def test_split_points_are_exact_decimals() -> None:
    assert split_points(1_115_394, 0.1) == (1_003_854, 1_115_394)
    assert split_points(10, 0.9) == (1, 10)  # 10 · (1 − 0.9) is 0.9999999999999998 in floating point
    assert split_points(10, 0, 0) == (10, 10)
    assert split_points(10, np.float64(0.1), np.float64(0.2)) == (7, 8)


@pytest.mark.parametrize(
    ("v", "t"), [(-0.1, 0), (0, -0.1), (1, 0), (0, 1), (0.5, 0.5), (float("nan"), 0), (0, float("inf"))]
)
def test_invalid_shares_raise(v: float, t: float) -> None:
    with pytest.raises(UsageError, match="must be at least 0 and together below 1; got"):
        split_points(10, v, t)


@given(sizes, orders, st.integers(1, 4))
def test_part_equals_columns_of_all_streams(size: tuple[int, int, int], order: str, first: int) -> None:
    N, T, B = size
    whole, *parts = (stream_of(N, T, B, order, 5) for _ in range(3))
    assume(first < B)
    parts[0].part, parts[1].part = slice(0, first), slice(first, B)
    for n in (2, 1):
        taken, *shares = (stream.take(n) for stream in (whole, *parts))
        for name in ("inputs", "targets"):
            joined = np.concatenate([getattr(share, name) for share in shares], axis=2)
            assert np.array_equal(joined, getattr(taken, name))
        for stream in (whole, *parts):
            assert stream.characters.tolist() == [T * B] * len(taken.inputs)


@given(texts, st.integers(1, 9), st.integers(2, 5), st.data())
def test_document_part_equals_columns_of_all_streams(text: str, T: int, B: int, data: st.DataObject) -> None:
    whole, *parts = (documents_of(text, T, B, 3) for _ in range(3))
    first = data.draw(st.integers(1, B - 1))
    parts[0].part, parts[1].part = slice(0, first), slice(first, B)
    for _ in range(3):
        taken, *shares = (stream.take(1) for stream in (whole, *parts))
        for name in ("inputs", "targets"):
            joined = np.concatenate([getattr(share, name) for share in shares], axis=2)
            assert np.array_equal(joined, getattr(taken, name))
        for stream in (whole, *parts):
            assert stream.characters.tolist() == [np.count_nonzero(taken.targets >= 0)]


def test_part_reads_only_its_streams() -> None:
    read = []

    class Ids(np.ndarray):
        def __getitem__(self, key):  # type: ignore[no-untyped-def]
            read.append((key.start, key.stop))
            return np.asarray(self)[key]

    stream = SequentialStream(np.arange(81).view(Ids), 5, 4)
    stream.part = slice(2, 4)
    calls: list[tuple[Cursor, int]] = []
    stream.before_take = lambda cursor, n: calls.append((cursor, n))
    stream.take(2)
    assert read == [(40, 51), (60, 71)]
    assert calls == [(Cursor(0, 0), 2)]
