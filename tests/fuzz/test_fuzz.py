"""Load damaged files with every loader, which must succeed or raise RecurraError.

Each test loads 400 files. `make fuzz` sets FUZZ_SECONDS: each test then runs for this time with a new seed. A file that
fails is kept in the folder that pytest prints.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import re
import struct
import time
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save

import recurra
from mat_files import HEAD, characters, numbers, struct_of
from mutations import mutated
from recurra.config import ModelConfig, TrainingConfig, configs
from recurra.errors import RecurraError, UsageError
from recurra.interop.converter import script
from recurra.interop.vocabulary_json import from_json
from recurra.io import tensor_file
from recurra.model import LanguageModel
from recurra.network.cells import CELLS
from recurra.network.parameters import initialize
from recurra.report.document import render
from recurra.runs import records as report_data
from recurra.runs import saved_model
from recurra.text import id_file
from recurra.text.reading import read
from recurra.text.vocabulary import Vocabulary
from recurra.web.inlined_model import inline_model

FILES = 400  # damaged files for each test
SECONDS = float(os.environ.get("FUZZ_SECONDS", "0"))
SEED = time.time_ns() if SECONDS else 1

RUN_TOML = b"""[model]
cell = "elman"
hidden_size = 100
[training]
preset = "classic"
sequence_length = 25
batch_size = 1
learning_rate = 0.1
[text]
name = "fable"
notes = ["one", "two"]
characters = 50001
"""
RECORD = (
    b'{"update": 100, "epoch": 0.05, "loss": {"mean": 80.5, "min": 60.0, "max": 99.0}, "smooth_loss": 81.25, '
    b'"validation": 2.5, "rate": 0.1, "gradient_norm": 3.5}\n'
)
RUN = {
    "run.toml": RUN_TOML,
    "metrics.jsonl": RECORD + RECORD.replace(b"100", b"200"),
    "samples.jsonl": b'{"update": 0, "temperature": 1.0, "seed": 0, "text": "a \\u001b b"}\n' * 2,
    "timings.jsonl": b'{"update": 200, "seconds": 7.5, "updates_per_second": 15000.0}\n',
    "summary.json": json.dumps(
        {
            "updates": 200, "smooth_loss": 52.5, "best_smooth_loss": 48.25, "best_update": 100, "seconds": 75.0,
            "epoch_means": [{"epoch": 1, "nats_per_character": 2.25}], "baselines": {"xz": 2.5}, "best_sample": "x",
            "gradient_check": {"cells": {"elman": {"U": {"max_abs_central": 1e-9, "passed": True}}}, "passed": True},
        }
    ).encode(),
}  # fmt: skip


def rounds() -> Iterator[Random]:
    """Yield a random generator for each damaged file: `FILES` of them, or as many as fit in `SECONDS`."""
    end, number = time.monotonic() + SECONDS, 0
    while time.monotonic() < end if SECONDS else number < FILES:
        yield Random(f"{SEED} {number}")  # noqa: S311 - no secret
        number += 1


def survives(load: Callable[[], object], path: Path) -> None:
    """Call `load`; any error but RecurraError fails the test and keeps the damaged file."""
    words = ""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # the notes of an import
            load()
    except RecurraError as error:
        words = str(error)
    except BaseException:
        kept = path.parent / f"failing-{path.name}"
        kept.write_bytes(path.read_bytes())
        pytest.fail(f"seed {SEED}: {kept} ends in no RecurraError", pytrace=True)
    assert len(words) < 5000


def rehashed(data: bytes, draw: Random) -> bytes:
    """Correct the header size and the hash of a damaged model file, so that the loader reaches the damage."""
    digest = re.search(rb'sha256\\": \\"([0-9a-f]{64})', data)
    end = data.find(b"}}", 8)
    if end > 0 and draw.random() < 0.8:
        size = int.from_bytes(data[:8], "little") if draw.random() < 0.5 else data.find(b"}", end + 1) - 7
        data = max(size, 0).to_bytes(8, "little") + data[8:]
    if digest is None:
        return data
    zeroed = data[: digest.start(1)] + b"0" * 64 + data[digest.end(1) :]
    return zeroed[: digest.start(1)] + hashlib.sha256(zeroed).hexdigest().encode() + zeroed[digest.end(1) :]


def damaged_header(data: bytes, others: list[bytes], draw: Random) -> bytes:
    """Return the file with damage only in its header, and with the right header size."""
    size = int.from_bytes(data[:8], "little")
    header = mutated(data[8 : 8 + size], [other[8:600] for other in others], draw)
    return len(header).to_bytes(8, "little") + header + data[8 + size :]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """Create a model file for each cell."""
    files = []
    for number, cell in enumerate(CELLS):
        config = ModelConfig(cell=cell, hidden_size=3, layers=1 + number % 2)
        made = LanguageModel(config, Vocabulary.of("\n abé"), initialize(config, 5, seed=number))
        path = tmp_path_factory.mktemp("models") / cell
        state: dict[str, np.ndarray] = {
            "state.h": np.zeros((config.layers, 1, 3)),
            "optimizer.squares.c": np.ones(5, np.float32),
        }
        progress = {"update": 7, "history": {"smooth": 1.5, "epoch_means": [2.5]}}
        tensor_file.write(path, made.tensors() | state, made.metadata() | {"progress": progress})
        files.append(path.read_bytes())
    return files


@pytest.mark.parametrize("kind", ["any damage", "right hash", "right header size and hash"])
def test_damaged_model_files_end_in_recurra_error(tmp_path: Path, models: list[bytes], kind: str) -> None:
    path, reached = tmp_path / "model", 0
    for draw in rounds():
        valid = draw.choice(models)
        if kind == "right header size and hash":
            data = rehashed(damaged_header(valid, models, draw), draw)
        else:
            data = mutated(valid, models, draw)
            data = rehashed(data, draw) if kind == "right hash" else data
        path.write_bytes(data)
        survives(lambda: saved_model.load(path), path)
        reached += _has_its_hash(path)
    assert reached > 0 or kind == "any damage"


def _has_its_hash(path: Path) -> bool:
    try:
        tensor_file.read(path)
    except RecurraError:
        return False
    return True


def made(cell: str = "gru") -> LanguageModel:
    config = ModelConfig(cell=cell, hidden_size=3)
    return LanguageModel(config, Vocabulary.of("\n abé"), initialize(config, 5, seed=1))


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "vocab.json", "theirs"])
def test_damaged_exports_end_in_recurra_error(tmp_path: Path, name: str) -> None:
    folder = recurra.export(made(), tmp_path / "folder")
    state = recurra.export(made("lstm"), tmp_path / "theirs", format="torch").read_bytes()
    others = [path.read_bytes() for path in folder.iterdir()] + [state]
    path = tmp_path / "theirs" if name == "theirs" else folder / name
    valid = path.read_bytes()
    for draw in rounds():
        damage = damaged_header if name[-3:] == "ors" and draw.random() < 0.7 else mutated
        path.write_bytes(damage(valid, others, draw))
        survives(lambda: recurra.import_model(path if name == "theirs" else folder), path)


def test_damaged_foreign_states_end_in_recurra_error(tmp_path: Path) -> None:
    tensors = {
        "e.weight": np.ones((5, 2)), "weight_ih_l0": np.ones((9, 2)), "weight_hh_l0": np.ones((9, 3)),
        "bias_ih_l0": np.ones(9), "fc.weight": np.ones((5, 3)), "fc.bias": np.ones(5),
    }  # fmt: skip
    valid = [save(tensors), save({name: array.astype(np.float16) for name, array in tensors.items()})]
    valid.append(
        save(tensors, metadata={"fc.bias": "bias_ih_l0", "vocabulary": '{"chars": ["a", "b", "c", "d", "e"]}'})
    )
    ids = b'{"a": 0, "b": 1, "c": 2, "d": 3, "e": 4}'
    for draw in rounds():
        (tmp_path / "a").write_bytes(damaged_header(draw.choice(valid), valid, draw))
        (tmp_path / "ids").write_bytes(mutated(ids, [ids, b'["a", 7]'], draw) if draw.random() < 0.5 else ids)
        options: dict[str, Any] = {"vocabulary": tmp_path / "ids"} if draw.random() < 0.7 else {}
        survives(partial(recurra.import_model, tmp_path / "a", **options), tmp_path / "a")


def test_damaged_mat_files_end_in_recurra_error(tmp_path: Path) -> None:
    fields = {"U": (3, 5), "W": (3, 3), "V": (5, 3), "b": (3, 1), "c": (5, 1)}
    body = struct_of("RNN", {name: numbers("", np.ones(shape)) for name, shape in fields.items()})
    body += characters("book_chars", "abcdé") + numbers("code_points", [[1, 2, 3, 4, 5]])
    packed = zlib.compress(body)
    valid = [HEAD + body, HEAD + struct.pack("<II", 15, len(packed)) + packed]
    for draw in rounds():
        which = draw.randrange(3)
        data = mutated(valid[which % 2], valid, draw) if which < 2 else HEAD + mutated(body, valid, draw)
        (tmp_path / "a.mat").write_bytes(data)
        survives(lambda: recurra.import_model(tmp_path / "a.mat"), tmp_path / "a.mat")


@pytest.mark.parametrize("kind", ["stored", "compressed", "headers"])
def test_damaged_npz_files_end_in_recurra_error(tmp_path: Path, kind: str) -> None:
    """Damage .npz files anywhere, or only in the headers of their arrays."""
    shapes = {"U": (3, 5), "W": (3, 3), "V": (5, 3), "b": (3, 1), "c": (5, 1)}
    arrays = {name: np.ones(shape) for name, shape in shapes.items()} | {"chars": np.array(list("abcdé"))}
    file = io.BytesIO()
    (np.savez_compressed if kind == "compressed" else np.savez)(file, **arrays)
    with zipfile.ZipFile(file) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    for draw in rounds():
        path = tmp_path / "a.npz"
        if kind == "headers":
            name = draw.choice(sorted(members))
            damaged = mutated(members[name][:200], list(members.values()), draw) + members[name][200:]
            with zipfile.ZipFile(path, "w") as archive:
                for other, data in members.items():
                    archive.writestr(other, damaged if other == name else data)
        else:
            path.write_bytes(mutated(file.getvalue(), list(members.values()), draw))
        survives(partial(recurra.import_model, path), path)


@pytest.mark.parametrize("suffix", [".npz", ".mat"])
def test_gradient_files(tmp_path: Path, suffix: str) -> None:
    """Files of gradients with damage in one array: its header, its shape or its numbers."""
    shapes = {"U": (3, 5), "W": (3, 3), "V": (5, 3), "b": (3,), "c": (5,), "h0": (3,), "inputs": (4,), "targets": (4,)}
    arrays = {name: np.ones(shape) for name, shape in shapes.items()}
    grads = {name: np.ones(shapes[name]) for name in "UWVbc"}
    file = io.BytesIO()
    content: dict[str, Any] = arrays | {f"d{name}": array for name, array in grads.items()}
    np.savez(file, **content)
    with zipfile.ZipFile(file) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    column = {name: numbers("", array.reshape(len(array), -1)) for name, array in arrays.items()}
    body = struct_of("RNN", {name: column[name] for name in "UWVbc"})
    body += struct_of("grads", {name: numbers("", array.reshape(len(array), -1)) for name, array in grads.items()})
    body += b"".join(numbers(name, arrays[name].reshape(1, -1)) for name in ("h0", "inputs", "targets"))
    path = tmp_path / f"a{suffix}"
    for draw in rounds():
        if suffix == ".mat":
            path.write_bytes(HEAD + mutated(body, [body], draw))
        else:
            damaged = draw.choice(sorted(members))
            with zipfile.ZipFile(path, "w") as archive:
                for name, data in members.items():
                    archive.writestr(name, mutated(data, list(members.values()), draw) if name == damaged else data)
        survives(lambda: recurra.compare_gradients(path), path)


def test_damaged_vocabularies_end_in_recurra_error(tmp_path: Path) -> None:
    valid = [
        b'{"stoi": {"a": 0, "<pad>": 1}, "itos": ["a", "<pad>"], "n": 3}',
        b'{"model": {"type": "BPE", "vocab": {"a": 0}}, "added_tokens": [{"id": 1, "content": "<s>"}], '
        b'"decoder": {"type": "ByteLevel"}}',
        b'{"class_name": "Tokenizer", "config": {"word_index": "{\\"a\\": 1, \\"b\\": 2}"}}',
    ]
    for draw in rounds():
        path = tmp_path / "ids.json"
        path.write_bytes(mutated(draw.choice(valid), valid, draw))
        survives(partial(from_json, path.read_bytes(), "ids.json"), path)


def test_kind_of_damaged_files_is_found(tmp_path: Path) -> None:
    """Damage files of formats that recurra recognizes but does not read, and write the conversion scripts for them."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("archive/data.pkl", b"x")
    valid = [
        archive.getvalue(),
        b"\x80\x02\x8a\nl\xfc\x9cF",
        b"\x93NUMPY\1\0",
        b"\x89HDF\r\n\x1a\n",
        b"GGUF",
        b"\x1f\x8b",
    ]
    for draw in rounds():
        path = tmp_path / draw.choice(("a.pt", "a.index.json", "a.zip", "a.pkl", "a"))
        path.write_bytes(mutated(draw.choice(valid), valid, draw))
        for load in (recurra.import_model, script):
            survives(partial(load, path), path)


@pytest.mark.parametrize("name", RUN)
def test_damaged_run_directories_end_in_recurra_error(tmp_path: Path, name: str) -> None:
    for other, content in RUN.items():
        (tmp_path / other).write_bytes(content)
    for number, draw in enumerate(rounds()):
        (tmp_path / name).write_bytes(mutated(RUN[name], list(RUN.values()), draw))
        drawn = number % 100 == 0

        def load(*, drawn: bool = drawn) -> None:
            run = report_data.load(tmp_path)
            if drawn or SECONDS:
                render([run], [inline_model(tmp_path, with_model=True)])

        survives(load, tmp_path / name)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "bytes", "gb18030", "utf-7"])
def test_damaged_texts_end_in_recurra_error(tmp_path: Path, encoding: str) -> None:
    text = "Ein Wort, 日本語, ﷽ e\u0301 😀\r\nnext line\n" * 20
    valid = text.encode("utf-8" if encoding == "bytes" else encoding)
    for draw in rounds():
        (tmp_path / "text").write_bytes(mutated(valid, [valid, text.encode("utf-16"), b"\xff\xfe\0\0"], draw))

        def load() -> None:
            loaded = read(tmp_path / "text", encoding)
            if loaded.text:
                assert loaded.vocabulary.decode(loaded.ids[:]) == loaded.text

        survives(load, tmp_path / "text")


def test_damaged_id_files_end_in_recurra_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(id_file, "cache_folder", lambda: tmp_path)
    ids = np.arange(200, dtype=np.uint8) % 7
    id_file.keep("a", ids.dtype, 200, 7, [ids])
    path = tmp_path / "a.ids"
    valid = path.read_bytes()
    for draw in rounds():
        data = mutated(valid, [valid], draw)
        if draw.random() < 0.5:
            data = data[:200] + hashlib.sha256(data[:200]).digest()  # ids of a different text, with a right hash
        path.write_bytes(data)
        kept = id_file.keep("a", ids.dtype, 200, 7, [ids])[:]
        assert len(kept) == 200
        assert kept.max() < 7


def values(draw: Random, depth: int = 0) -> Any:
    """Return a random value that JSON or TOML can contain."""
    plain = (None, True, False, 0, -1, 1, 2**63, 10**400, 0.5, -0.0, 1e308, 5e-324, float("inf"), float("nan"), "", "x",
             "none", "adam", "\ud800", "x" * 500, "1e999h", "10m", b"x")  # fmt: skip
    if depth < 2 and draw.random() < 0.2:
        nested = [values(draw, depth + 1) for _ in range(draw.randrange(3))]
        return nested if draw.random() < 0.5 else dict(zip(("cell", "a"), nested, strict=False))
    return draw.choice(plain)


@pytest.mark.parametrize("kind", [ModelConfig, TrainingConfig])
def test_damaged_settings_end_in_recurra_error(kind: type[ModelConfig] | type[TrainingConfig]) -> None:
    names = [*kind().to_table(), "color"]
    for draw in rounds():
        table = {name: values(draw) for name in draw.sample(names, draw.randint(1, 3))}
        for load in (kind.from_table, configs):
            with contextlib.suppress(UsageError):
                load(table)
