"""Files of other programs are recognized by their bytes, and each error has a hint that works when pasted."""

from __future__ import annotations

import gzip
import json
import os
import pickle
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

import recurra
from recurra.cli import main
from recurra.errors import CheckpointError, ModelError, UsageError
from recurra.interop import converter

CHARACTERS = "abcd"
DRAW = np.random.default_rng(2)
WEIGHTS: dict[str, Any] = {
    "Wxh": DRAW.normal(size=(3, 4)), "Whh": DRAW.normal(size=(3, 3)), "Why": DRAW.normal(size=(4, 3)),
    "bh": DRAW.normal(size=(3, 1)), "by": DRAW.normal(size=(4, 1)),
}  # fmt: skip
TORCH_SCRIPT = r"`recurra import {} --converter > convert.py`; then, with PyTorch and safetensors installed, "
LEGACY = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02"


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def archive(*names: str) -> Callable[[Path], None]:
    def build(path: Path) -> None:
        with zipfile.ZipFile(path, "w") as file:
            for name in names:
                file.writestr(name, b"x")

    return build


def text(content: Any) -> Callable[[Path], None]:
    def build(path: Path) -> None:
        path.write_text(json.dumps(content))

    return build


KINDS: list[tuple[str, bytes | Callable[[Path], None], str, str]] = [
    ("a.pt", archive("a/data.pkl", "a/data/0"), "a pickle of PyTorch, which recurra does not read", TORCH_SCRIPT),
    ("a.bin", archive("archive/data.pkl", "archive/version"), "a pickle of PyTorch", TORCH_SCRIPT),
    ("model.pth.tar", LEGACY, "a pickle of PyTorch", TORCH_SCRIPT),
    ("a.jit", archive("a/constants.pkl", "a/data.pkl"), "a program of TorchScript, which recurra", TORCH_SCRIPT),
    ("a.pkl", pickle.dumps({"U": 1}, 0), "a pickle of Python, which recurra", "convert.py` writes a.npz."),
    ("a b.pkl", pickle.dumps({"U": 1}, 4), "a pickle of Python", "`recurra import 'a b.pkl' --converter > convert.py`"),
    ("-a.pkl", pickle.dumps({"U": 1}, 1), "a pickle of Python", "`recurra import ./-a.pkl --converter > convert.py`"),
    ("a.joblib", b"x\x9c" + bytes(9), "a pickle of Python", "with NumPy installed, `python convert.py` writes"),
    ("a.npy", b"\x93NUMPY\1\0v\0{'descr': '|O', 'f", "an array of objects, a pickle", "convert.py` writes a.npz."),
    ("a.npy", b"\x93NUMPY\1\0v\0{'descr': '<f8', 'f", "a single array of NumPy, but a network", "numpy.savez("),
    ("a.h5", b"\x89HDF\r\n\x1a\n", "an HDF5 file, as Keras writes it", "with Keras installed, "),
    ("a.keras", archive("config.json", "model.weights.h5"), "a model of Keras", "with Keras installed, "),
    ("a.mat", b"MATLAB 7.3 MAT-file", "a MAT-file of level 7.3, which recurra does not read", "save it with `-v7`."),
    ("a", b"GGUF\3\0\0\0", "a GGUF file of llama.cpp", "safetensors.torch.save_file(model.state_dict(), 'a.safete"),
    ("a.onnx", b"\x08\x07\x12\x07pytorch", "an ONNX file", "save_file(model.state_dict(), 'a.safetensors')"),
    ("a", b"\x08\x08\x12\x0connx.runtime", "an ONNX file", "save_file(model.state_dict(), 'a.safetensors')"),
    ("a.tflite", b"\x1c\0\0\0TFL3", "a model of TensorFlow Lite", "the Keras model that it was made from"),
    ("m.ckpt.index", b"\0\0\1", "a part of a checkpoint of TensorFlow", 'model.save("model.keras")'),
    ("m.data-00000-of-00001", b"\0", "a part of a checkpoint of TensorFlow", 'model.save("model.keras")'),
    ("cv.t7", b"\3\0\0\0\1\0\0\0\4\0\0\0", "a file of Lua Torch, as char-rnn", "`recurra train input.txt"),
    ("rnn.t7", b"\4\0\0\0\1\0\0\0\3\0\0\0V 1", "a file of Lua Torch", "`recurra train input.txt --cell lstm"),
    ("a.npz.gz", gzip.compress(b"x"), "compressed by gzip", "`gzip -dc a.npz.gz > a.npz && recurra import a.npz`"),
    ("a", gzip.compress(b"x"), "compressed by gzip", "`gzip -dc a > a.out && recurra import a.out`"),
    ("a.bz2", b"BZh9", "compressed by bzip2", "`bzip2 -dc a.bz2 > a && recurra import a`"),
    ("a.xz", b"\xfd7zXZ\0", "compressed by xz", "`xz -dc a.xz > a && recurra import a`"),
    ("a.zst", b"\x28\xb5\x2f\xfd", "compressed by zstd", "`zstd -dc a.zst > a && recurra import a`"),
    ("a.7z", b"7z\xbc\xaf\x27\x1c", "a 7z archive", "`7z x a.7z`"),
    ("a.zip", archive("m/RNN.mat", "m/read me"), "a zip archive", "`unzip a.zip -d a && recurra import a/m/RNN.mat`"),
    ("a.zip", archive("../x.mat", "b", "c"), "a zip archive", "`unzip a.zip -d a && recurra import a`"),
    ("a", b"version https://git-lfs.github.com/spec/v1\n", "a pointer of Git LFS", "`git lfs pull`"),
    ("a.pt", b"<!DOCTYPE html><html>", "a web page, not a model", "download the file itself"),
    ("vocab.json", text({"a": 0}), "JSON without a network's weights", "NETWORK --vocabulary vocab.json`"),
    (
        "m.safetensors.index.json",
        text({"weight_map": {"a": "m-1.safetensors", "b": "m-1.safetensors", "c": "/etc/passwd"}}),
        "the index of 1 safetensors files",
        "`recurra import m-1.safetensors`",
    ),
    ("m.index.json", text({"weight_map": [1]}), "JSON without a network's weights", "--vocabulary m.index.json`"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "build", "words", "hint"), KINDS, ids=[f"{one[0]} {one[2][:30]}" for one in KINDS])
def test_unsupported_kind_is_named_with_working_hint(name: str, build: Any, words: str, hint: str) -> None:
    path = Path(name)
    if isinstance(build, bytes):
        path.write_bytes(build)
    else:
        build(path)
    with pytest.raises(ModelError, match=f"`{re.escape(name)}` is {re.escape(words)}") as error:
        recurra.import_model(path)
    assert error.value.hint is not None
    assert hint.format(name) in error.value.hint


def test_tar_archives_and_folders() -> None:
    Path("x").write_bytes(b"x")
    with tarfile.open("a.tar", "w") as file:
        file.add("x")
    with pytest.raises(ModelError, match=r"`a.tar` is a tar archive") as error:
        recurra.import_model("a.tar")
    assert error.value.hint == "unpack it: `tar -xf a.tar`."
    Path("saved").mkdir()
    Path("saved/saved_model.pb").write_bytes(b"\x08\1")
    with pytest.raises(ModelError, match="`saved` is a SavedModel of TensorFlow") as error:
        recurra.import_model("saved")
    assert error.value.hint is not None
    assert error.value.hint.startswith("`recurra import saved --converter > convert.py`; then, with Keras")
    Path("hf").mkdir()
    Path("hf/config.json").write_text('{"model_type": "bert"}')
    Path("hf/pytorch_model.bin").write_bytes(LEGACY)
    with pytest.raises(ModelError, match="is not the config of an exported model") as error:
        recurra.import_model("hf")
    assert error.value.hint is not None
    assert "`recurra import hf/pytorch_model.bin --vocabulary FILE.json`" in error.value.hint


@pytest.mark.parametrize("data", [b"PK\3\4" + bytes(50), b"PK\5\6" + bytes(17), b"PK\3\4PK\5\6" + bytes(18)])
def test_archives_that_are_cut_off_or_empty(data: bytes) -> None:
    Path("a.zip").write_bytes(data)
    with pytest.raises((ModelError, CheckpointError), match=r"`a.zip` is a zip archive"):
        recurra.import_model("a.zip")


def test_zip_directory_that_is_too_long_is_not_read() -> None:
    """The limit holds for both end records, with 32 and with 64 bits."""
    end = b"PK\5\6" + bytes(8) + (1 << 21).to_bytes(4, "little") + bytes(6)
    long = b"PK\6\6" + bytes(36) + (1 << 40).to_bytes(8, "little") + bytes(8) + b"PK\6\7" + bytes(16)
    for tail in (end, end + bytes(1000), long + b"PK\5\6" + bytes(8) + b"\xff" * 4 + bytes(6)):
        Path("a.zip").write_bytes(b"PK\3\4" + bytes(99) + tail)
        with pytest.raises(ModelError, match="is a zip archive of too many files"):
            recurra.import_model("a.zip")


@pytest.mark.skipif(shutil.which("gzip") is None, reason="runs the command that a hint gives")
def test_the_command_for_a_compressed_file_works() -> None:
    np.savez("a.npz", **WEIGHTS, chars=list(CHARACTERS))
    Path("a.npz.gz").write_bytes(gzip.compress(Path("a.npz").read_bytes()))
    Path("a.npz").unlink()
    with pytest.raises(ModelError) as error:
        recurra.import_model("a.npz.gz")
    assert error.value.hint is not None
    unpack, _, again = error.value.hint.partition("`")[2].partition("`")[0].partition(" && ")
    subprocess.run(unpack, shell=True, check=True)  # noqa: S602 - as a reader would paste it
    assert again == "recurra import a.npz"
    assert recurra.import_model("a.npz").vocabulary.symbols == CHARACTERS


def test_the_command_that_joins_several_files_works() -> None:
    parts = {"one-1.safetensors": "rnn.weight_ih_l0 rnn.weight_hh_l0", "one-2.safetensors": "fc.weight"}
    arrays = dict(zip(("rnn.weight_ih_l0", "rnn.weight_hh_l0", "fc.weight"), WEIGHTS.values(), strict=False))
    for file, names in parts.items():
        save_file({name: np.ascontiguousarray(arrays[name]) for name in names.split()}, file)
    weight_map = {name: file for file, names in parts.items() for name in names.split()}
    Path("one.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    with pytest.raises(ModelError, match="is the index of 2 safetensors files") as error:
        recurra.import_model("one.safetensors.index.json")
    assert error.value.hint is not None
    command = error.value.hint.partition("`")[2].partition("`")[0]
    here = {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    subprocess.run(command, shell=True, check=True, env=os.environ | here)  # noqa: S602 - as a reader would paste it
    Path("ids.json").write_text('"abcd"')
    assert recurra.import_model("whole.safetensors", vocabulary="ids.json").config.hidden_size == 3


def convert(name: str, capsysbinary: pytest.CaptureFixture[bytes], *options: str, path: str = "") -> None:
    """Follow the hint: write the script and run it in a new process."""
    assert main(["import", name, "--converter"]) == 0
    Path("convert.py").write_bytes(capsysbinary.readouterr().out)
    line = [sys.executable, "-W", "ignore", "convert.py", *options]
    environment = os.environ | ({"PYTHONPATH": path} if path else {})
    done = subprocess.run(line, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("protocol", [0, 2, 5])
def test_trusted_pickle_is_converted(capsysbinary: Any, protocol: int) -> None:
    ids = {character: number for number, character in enumerate(CHARACTERS)}
    Path("it's.pkl").write_bytes(pickle.dumps({"params": WEIGHTS, "char_to_ix": ids, "epoch": 3}, protocol))
    with pytest.raises(AssertionError, match=r"it's.pkl is a pickle: reading it runs code from the file"):
        convert("it's.pkl", capsysbinary)
    convert("it's.pkl", capsysbinary, "--trust")
    model = recurra.import_model("it's.npz")
    assert model.vocabulary.symbols == CHARACTERS
    np.testing.assert_array_equal(model.parameters["V"], WEIGHTS["Why"].astype(np.float32))


def test_dict_saved_by_numpy_is_converted(capsysbinary: Any) -> None:
    content: Any = {"ix_to_char": dict(enumerate(CHARACTERS)), **WEIGHTS}
    np.save("a.npy", content, allow_pickle=True)
    convert("a.npy", capsysbinary, "--trust")
    assert recurra.import_model("a.npz").vocabulary.symbols == CHARACTERS


def test_file_that_needs_no_converter_is_an_error() -> None:
    np.savez("a.npz", **WEIGHTS)
    with pytest.raises(UsageError, match=r"`a.npz` needs no conversion") as error:
        converter.script(Path("a.npz"))
    assert error.value.hint == "leave out `--converter`: `recurra import a.npz`."
    Path("a.gz").write_bytes(gzip.compress(b"x"))
    with pytest.raises(UsageError, match="recurra has no script that converts") as error:
        converter.script(Path("a.gz"))
    assert error.value.hint == "unpack it: `gzip -dc a.gz > a && recurra import a`."


def test_script_replaces_no_file(capsysbinary: Any) -> None:
    content: Any = WEIGHTS
    np.save("a.npy", content, allow_pickle=True)
    Path("a.npz").write_bytes(b"mine")
    with pytest.raises(AssertionError, match=r"a.npz already exists: remove or rename it"):
        convert("a.npy", capsysbinary, "--trust")
    assert Path("a.npz").read_bytes() == b"mine"


def test_the_folder_that_one_is_in() -> None:
    Path("saved_model.pb").write_bytes(b"\x08\1")
    assert converter.script(Path()).startswith('"""Convert . for recurra; run this script with Keras installed.')


def test_converter_quotes_every_file_name(capsysbinary: Any) -> None:
    name = 'a """\n{x}\\ é'
    Path(name).write_bytes(LEGACY)
    assert main(["import", name, "--converter"]) == 0
    source = capsysbinary.readouterr().out.decode()
    compile(source, "convert.py", "exec")
    assert f"FILE = {name!r}\n" in source
