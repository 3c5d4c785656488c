"""Tensor files: round trips, detection of damage, and failed writes."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save as serialize

from recurra.errors import CheckpointError, ModelError, StorageError
from recurra.io import tensor_file
from recurra.io.tensor_file import METADATA_KEY, ZEROS, read, write

TENSORS = {
    "weights": np.arange(6, dtype=np.float32).reshape(2, 3) / 7,
    "sums": np.array([[1e300, -0.0]]),
    "ids": np.array([0, 2**32 - 1], np.uint32),
    "nothing": np.zeros((0, 3), np.float32),
}
METADATA: dict[str, Any] = {"format": 1, "name": 'é "quoted" \\ \n', "text": {"sha256": "ab" * 32}, "best": None}

WRITER = """
import sys, numpy as np
from pathlib import Path
from recurra.io.tensor_file import write
arrays = {n: np.arange(4, dtype=d) for n, d in (("b", "float32"), ("a", "uint32"), ("c", "float64"))}
backwards = sys.argv[2] == "reversed"
metadata = {"z": 1, "a": {"y": [1.5, None], "x": "é"}}
arrays, metadata = ({n: d[n] for n in sorted(d, reverse=backwards)} for d in (arrays, metadata))
write(Path(sys.argv[1]), arrays, metadata)
"""


def forge(path: Path, header: str | bytes, data: bytes = b"") -> Path:
    """Write a file with this header; replace a sha256 of zeros in it by the right one."""
    encoded = header.encode() if isinstance(header, str) else header
    whole = len(encoded).to_bytes(8, "little") + encoded + data
    path.write_bytes(whole.replace(ZEROS.encode(), hashlib.sha256(whole).hexdigest().encode(), 1))
    return path


def header_of(metadata: object, **tensors: object) -> str:
    return json.dumps({"__metadata__": {METADATA_KEY: json.dumps(metadata)}, **tensors})


@pytest.fixture
def written(tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    write(path, TENSORS, METADATA)
    return path


def test_arrays_and_metadata_round_trip(written: Path) -> None:
    tensors, metadata = read(written)
    assert set(tensors) == set(TENSORS)
    for name, array in TENSORS.items():
        assert tensors[name].dtype == array.dtype
        assert tensors[name].shape == array.shape
        assert tensors[name].tobytes() == array.tobytes()
    assert {name: value for name, value in metadata.items() if name != "sha256"} == METADATA


def test_sha256_covers_file_with_zeroed_digits(tmp_path: Path) -> None:
    digest = write(tmp_path / "model", TENSORS, METADATA)
    data = (tmp_path / "model").read_bytes()
    assert data.count(digest.encode()) == 1
    assert hashlib.sha256(data.replace(digest.encode(), b"0" * 64)).hexdigest() == digest
    assert read(tmp_path / "model")[1]["sha256"] == digest


@given(st.dictionaries(st.text("abc.0", min_size=1), st.lists(st.integers(0, 3), max_size=3), max_size=4))
def test_any_names_and_shapes_round_trip(
    tmp_path_factory: pytest.TempPathFactory, shapes: dict[str, list[int]]
) -> None:
    path = tmp_path_factory.getbasetemp() / "any"
    # Transposed, so that most are not contiguous; never 0-dimensional, which has no use here.
    tensors = {name: np.arange(2 * np.prod(shape)).reshape(*shape, 2).T for name, shape in shapes.items()}
    write(path, tensors, {})
    found, _ = read(path)
    assert set(found) == set(tensors)
    assert all(np.array_equal(found[name], array) for name, array in tensors.items())


def test_equal_content_gives_equal_bytes_in_every_process(tmp_path: Path) -> None:
    files = []
    for seed, order in (("1", "sorted"), ("2", "reversed")):
        files.append(tmp_path / order)
        command = [sys.executable, "-c", WRITER, str(files[-1]), order]
        subprocess.run(command, check=True, env=os.environ | {"PYTHONHASHSEED": seed})
    assert files[0].read_bytes() == files[1].read_bytes()


@pytest.mark.parametrize("mask", [0x01, 0x20, 0x80, 0xFF])
def test_change_of_any_byte_raises(written: Path, mask: int) -> None:
    data = written.read_bytes()
    for place in range(len(data)):
        written.write_bytes(data[:place] + bytes([data[place] ^ mask]) + data[place + 1 :])
        with pytest.raises((CheckpointError, ModelError), match=r"damaged|is not a model file|not written by recurra"):
            read(written)


def test_truncation_at_any_length_raises(written: Path) -> None:
    data = written.read_bytes()
    for length in range(len(data)):
        written.write_bytes(data[:length])
        with pytest.raises(CheckpointError, match=r"cut off|damaged"):
            read(written)
    written.write_bytes(data + b"\0")
    with pytest.raises(CheckpointError, match="is damaged: it is longer or shorter than its arrays"):
        read(written)


def test_damaged_array_raises_with_hint(written: Path) -> None:
    data = written.read_bytes()
    written.write_bytes(data[:-1] + b"\1")
    with pytest.raises(CheckpointError, match="is damaged: its bytes do not have the sha256") as caught:
        read(written)
    assert caught.value.exit_code == 6
    assert caught.value.hint == "use another checkpoint of the run."


@pytest.mark.parametrize("size", [2**63, 2**64 - 1, tensor_file.MAX_HEADER_BYTES + 1, 1000, 3])
def test_header_longer_than_file_raises(tmp_path: Path, size: int) -> None:
    path = tmp_path / "model"
    path.write_bytes(size.to_bytes(8, "little") + b"{}")
    with pytest.raises(CheckpointError, match="is not a model file of recurra, or it is cut off"):
        read(path)


def test_header_size_is_limited(written: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    size = int.from_bytes(written.read_bytes()[:8], "little")
    monkeypatch.setattr(tensor_file, "MAX_HEADER_BYTES", size)
    write(written, TENSORS, METADATA)
    read(written)
    monkeypatch.setattr(tensor_file, "MAX_HEADER_BYTES", size - 1)
    with pytest.raises(CheckpointError, match="or it is cut off"):
        read(written)
    with pytest.raises(ValueError, match=f"are longer than {size - 1:,} bytes"):
        write(written, TENSORS, METADATA)


def test_only_header_of_other_file_is_read(tmp_path: Path) -> None:
    with (tmp_path / "film").open("wb") as file:
        file.truncate(1 << 26)
    tracemalloc.start()
    try:
        with pytest.raises(ModelError, match="is not a model file"):
            read(tmp_path / "film")
        assert tracemalloc.get_traced_memory()[1] < 1 << 23
    finally:
        tracemalloc.stop()


def test_long_metadata_are_stored_in_array(tmp_path: Path) -> None:
    means = [1 / (k + 1) for k in range(100_000)]  # of as many epochs: 2 MB
    write(tmp_path / "model", TENSORS, {"epoch_means": means, "note": "é"})
    tensors, metadata = read(tmp_path / "model")
    assert set(tensors) == set(TENSORS)
    assert (metadata["epoch_means"], metadata["note"]) == (means, "é")
    assert len(metadata["sha256"]) == 64
    assert int.from_bytes((tmp_path / "model").read_bytes()[:8], "little") < 1000


@pytest.mark.parametrize("longer", [0, 1])
def test_metadata_above_128_kib_are_long(tmp_path: Path, longer: int) -> None:
    note = "x" * (2**17 - len(json.dumps({"note": "", "sha256": ZEROS})) + longer)
    write(tmp_path / "model", TENSORS, {"note": note})
    assert read(tmp_path / "model")[1]["note"] == note
    assert (int.from_bytes((tmp_path / "model").read_bytes()[:8], "little") < 1000) == bool(longer)


@pytest.mark.parametrize("content", [b"[", b"[]", b"\xff", b'{"a": NaN}', b""])
def test_invalid_long_metadata_raise(tmp_path: Path, content: bytes) -> None:
    write(tmp_path / "model", {tensor_file.LONG_NAME: np.frombuffer(content, np.uint8)}, {})
    with pytest.raises(CheckpointError, match="model` is damaged: "):
        read(tmp_path / "model")


def test_too_many_names_for_header_raise(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="the names of the arrays are longer than 1,048,576 bytes"):
        write(tmp_path / "model", {"x" * 300_000 + str(i): np.zeros(1) for i in range(4)}, {})
    assert list(tmp_path.iterdir()) == []


def test_numbers_that_are_not_finite_raise(tmp_path: Path) -> None:
    for value in (np.nan, np.inf):
        write(tmp_path / "model", {"sums": np.array([1.0, value])}, {})
        with pytest.raises(CheckpointError, match="model` is damaged: `sums` has a number that is not finite"):
            read(tmp_path / "model")


@pytest.mark.parametrize(
    "header", ["", "{", "{]", '{"a":' * 100_000, b'{"\xff": 1}', '{"a": 1' + "0" * 5000 + "}", "{} {}"]
)
def test_header_that_is_not_json_raises(tmp_path: Path, header: str | bytes) -> None:
    with pytest.raises(CheckpointError, match=r"is not a model file of recurra, or it is (damaged|cut off)"):
        read(forge(tmp_path / "model", header))


@pytest.mark.parametrize("content", [b"It was a dark and stormy night.\n", b"PK\3\4\0\0\0\0\0\0\0", b"\0" * 9])
def test_file_of_other_format_raises_with_hint(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "book.txt"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"book.txt` is not a model file of recurra\.") as caught:
        read(path)
    assert caught.value.exit_code == 4


def test_safetensors_of_other_programs_raise(tmp_path: Path) -> None:
    path = tmp_path / "bert.safetensors"
    for metadata in (
        None,
        {"format": "pt"},
        {METADATA_KEY: "7"},
        {METADATA_KEY: "{"},
        {METADATA_KEY: '{"sha256": 1}'},
        {METADATA_KEY: "{}"},
    ):
        path.write_bytes(serialize({"x": np.zeros(3)}, metadata=metadata))
        with pytest.raises(ModelError, match=r"was not written by recurra: it lacks the metadata of recurra\."):
            read(path)


@pytest.mark.parametrize("digest", ["\ud800" * 64, "A" * 64, "0" * 63, "0" * 64 + "\n", ["0"] * 64])
def test_invalid_sha256_raises(tmp_path: Path, digest: object) -> None:
    with pytest.raises(ModelError, match="lacks the metadata of recurra"):
        read(forge(tmp_path / "model", header_of({"sha256": digest})))


@pytest.mark.parametrize("metadata", ["[" * 100_000, "null", "[]"])
def test_metadata_of_wrong_type_raise(tmp_path: Path, metadata: str) -> None:
    with pytest.raises(ModelError, match="lacks the metadata of recurra"):
        read(forge(tmp_path / "model", json.dumps({"__metadata__": {METADATA_KEY: metadata}})))


@pytest.mark.parametrize(
    "tensor",
    [
        {"dtype": "F32", "shape": [3], "data_offsets": [0, 8]},
        {"dtype": "F32", "shape": [2], "data_offsets": [4, 12]},
        {"dtype": "X9", "shape": [2], "data_offsets": [0, 8]},
        {"dtype": "F32"},
        7,
    ],
)
def test_arrays_that_do_not_fit_file_raise_despite_right_hash(tmp_path: Path, tensor: object) -> None:
    with pytest.raises(CheckpointError, match=r"model` is damaged: .+|or it is damaged"):
        read(forge(tmp_path / "model", header_of({"sha256": ZEROS}, x=tensor), bytes(8)))


def test_missing_file_and_folder_raise(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"cannot read the model `.*none`: No such file or directory\.") as caught:
        read(tmp_path / "none")
    assert caught.value.exit_code == 4
    with pytest.raises(ModelError, match="Is a directory"):
        read(tmp_path)


def fails(error: BaseException) -> Any:
    def call(*arguments: object) -> None:
        raise error

    return call


FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize(
    ("owner", "step", "failing", "words"),
    [
        (os, "fsync", fails(FULL), "No space left on device"),
        (Path, "replace", fails(OSError(errno.EROFS, os.strerror(errno.EROFS))), "Read-only file system"),
        (Path, "read_bytes", lambda _: b"other bytes", "the bytes that were read back differ from the bytes written"),
        (Path, "read_bytes", fails(OSError(errno.EIO, os.strerror(errno.EIO))), "Input/output error"),
        (Path, "open", fails(OSError("no number")), "no number"),
    ],
)
def test_failed_write_keeps_old_file_and_leaves_no_other(
    written: Path, monkeypatch: pytest.MonkeyPatch, owner: Any, step: str, failing: Any, words: str
) -> None:
    before = written.read_bytes()
    with monkeypatch.context() as patched:
        patched.setattr(owner, step, failing)
        with pytest.raises(StorageError, match=rf"cannot write `.*model.safetensors`: {words}\.") as caught:
            write(written, {"x": np.ones(3)}, {})
    assert caught.value.exit_code == 7
    assert "choose another folder" in str(caught.value.hint)
    assert written.read_bytes() == before
    assert list(written.parent.iterdir()) == [written]


@pytest.mark.parametrize("fault", [errno.EINVAL, errno.EIO])
def test_folder_flush_error_raises_unless_unsupported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: int
) -> None:
    flush, flushed = os.fsync, []

    def only_files(handle: int) -> None:
        flushed.append(handle)
        if len(flushed) == 2:
            raise OSError(fault, os.strerror(fault))
        flush(handle)

    monkeypatch.setattr(os, "fsync", only_files)
    if fault == errno.EINVAL:  # from file systems that cannot flush a folder
        write(tmp_path / "model", TENSORS, METADATA)
    else:
        with pytest.raises(StorageError, match="Input/output error"):
            write(tmp_path / "model", TENSORS, METADATA)
    assert len(flushed) == 2
    read(tmp_path / "model")


def test_write_to_impossible_place_raises(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match=r"file/model`: `.*/file` is a file, not a folder\."):
        write(tmp_path / "file" / "model", TENSORS, METADATA)
    with pytest.raises(StorageError, match="none` does not exist"):
        write(tmp_path / "none" / "model", TENSORS, METADATA)


def test_metadata_with_nan_raise(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        write(tmp_path / "model", {}, {"best": float("nan")})
    assert list(tmp_path.iterdir()) == []
