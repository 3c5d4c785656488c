"""Recognize a file by its first bytes; for a format that recurra does not read, name the command that converts it.

File names are not reliable: `.pt`, `.pth`, `.bin` and `.pth.tar` are the same archive, `.h5` can be any HDF5 file. Only
if a format has no magic bytes (ONNX, a part of a TensorFlow checkpoint), use the name too.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import NamedTuple

from recurra.errors import ModelError
from recurra.interop import files, numpy_file, zip_file
from recurra.io.bounded_io import open_regular, parse_json

HEAD_BYTES = 512  # bytes read to recognize a file
FOLDER, SAFETENSORS, MAT, NPZ = "folder", "safetensors", "mat", "npz"
PYTORCH, KERAS, PICKLE = "pytorch", "keras", "pickle"  # the converters
CONVERTED_SUFFIXES = {PYTORCH: ".safetensors", KERAS: ".npz", PICKLE: ".npz"}  # of each converter's output
PACKAGES = {
    PYTORCH: "with PyTorch and safetensors installed",
    KERAS: "with Keras installed",
    PICKLE: "with NumPy installed",
}
LEGACY_PYTORCH = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19"
PICKLES = tuple(b"\x80%c" % protocol for protocol in range(2, 6))
PICKLES += (b"(dp", b"(lp", b"}q\0", b"]q\0", b"cnumpy", b"ccopy_reg")  # protocols 0 and 1
ZIP = (b"PK\3\4", b"PK\5\6")
ZLIB = (b"x\x01", b"x\x5e", b"x\x9c", b"x\xda")
LUA_TORCH = (b"\3\0\0\0\1\0\0\0", b"\4\0\0\0\1\0\0\0\3\0\0\0V 1")
ONNX = re.compile(rb"\x08[\x01-\x20](?:[\x12\x1a\x22\x32]|\x28|\x3a)", re.DOTALL)
TENSORFLOW_PART = re.compile(r".*\.(?:index|data-\d{5}-of-\d{5}|ckpt|meta)")


class Unsupported(NamedTuple):
    """A kind of file that recurra does not read.

    Attributes:
        what: noun phrase that describes the file in an error.
        hint: advice for the user; {file} is the file's name.
        converter: name of the script in `converter` that converts the file.
    """

    what: str
    hint: str = ""
    converter: str | None = None


RUNS_CODE = "which recurra does not read, since it can run any code"
NOT_READ = "which recurra does not read"
OF_PYTORCH = Unsupported(f"a pickle of PyTorch, {RUNS_CODE}", converter=PYTORCH)
TORCHSCRIPT = Unsupported(f"a program of TorchScript, {NOT_READ}", converter=PYTORCH)
OF_PYTHON = Unsupported(f"a pickle of Python, {RUNS_CODE}", converter=PICKLE)
OF_KERAS = Unsupported(f"a model of Keras, {NOT_READ}", converter=KERAS)
SAVED_MODEL = Unsupported(f"a SavedModel of TensorFlow, {NOT_READ}", converter=KERAS)
AGAIN = "save it from the program that made it: `safetensors.torch.save_file(model.state_dict(), {safetensors})`."
UNPACK = "unpack it: `{} && recurra import {}`."

KINDS: list[tuple[bytes, int, Unsupported]] = [
    (b"MATLAB 7.3", 0, Unsupported(f"a MAT-file of level 7.3, {NOT_READ}", "save it with `-v7`.")),
    (b"HDF5-based Julia", 0, Unsupported(f"a JLD2 file of Julia, {NOT_READ}", "write an .npz file with NPZ.jl.")),
    (b"\x89HDF\r\n\x1a\n", 0, Unsupported(f"an HDF5 file, as Keras writes it, {NOT_READ}", converter=KERAS)),
    (b"# Created by Octave", 0, Unsupported("in Octave's own format", "save it with `save('-v7', FILE, 'RNN')`.")),
    (b"Octave-1", 0, Unsupported("in Octave's own format", "save it with `save('-v7', FILE, 'RNN')`.")),
    (b"GGUF", 0, Unsupported("a GGUF file of llama.cpp, which has no nn.RNN, LSTM or GRU", AGAIN)),
    (
        b"TFL3", 4,
        Unsupported(f"a model of TensorFlow Lite, {NOT_READ}", "convert the Keras model that it was made from."),
    ),
    (b"\x1f\x8b", 0, Unsupported("compressed by gzip", UNPACK.format("gzip -dc {file} > {bare}", "{bare}"))),
    (b"BZh", 0, Unsupported("compressed by bzip2", UNPACK.format("bzip2 -dc {file} > {bare}", "{bare}"))),
    (b"\xfd7zXZ\0", 0, Unsupported("compressed by xz", UNPACK.format("xz -dc {file} > {bare}", "{bare}"))),
    (b"\x28\xb5\x2f\xfd", 0, Unsupported("compressed by zstd", UNPACK.format("zstd -dc {file} > {bare}", "{bare}"))),
    (b"7z\xbc\xaf\x27\x1c", 0, Unsupported("a 7z archive", "unpack it: `7z x {file}`.")),
    (b"ustar", 257, Unsupported("a tar archive", "unpack it: `tar -xf {file}`.")),
    (
        b"version https://git-lfs", 0,
        Unsupported("a pointer of Git LFS, not the file itself", "fetch it: `git lfs pull`."),
    ),
]  # fmt: skip


def kind_of(path: Path) -> str:
    """Return the kind of a file that recurra reads.

    Raises: ModelError, with a hint, if the kind is one that recurra does not read.
    """
    head = head_of(path)
    if is_safetensors(head):
        return SAFETENSORS
    if _is_npz(path, head):
        return NPZ
    if kind := _refused(path, head):
        raise ModelError(f"`{path}` is {kind.what}.", hint=hint_for(path, kind))
    return MAT if head.startswith(b"MATLAB 5") or path.suffix == ".mat" else SAFETENSORS


def refused_kind(path: Path) -> Unsupported | None:
    """Return the kind of a file or folder that recurra does not read; None if it may be readable."""
    if is_folder(path):
        return SAVED_MODEL if (path / "saved_model.pb").is_file() else None
    head = head_of(path)
    return None if is_safetensors(head) or _is_npz(path, head) else _refused(path, head)


def is_folder(path: Path) -> bool:
    """Return True if `path` is a folder.

    Raises: ModelError if the operating system denies access.
    """
    try:
        return path.is_dir()
    except OSError as error:
        raise ModelError(f"cannot read `{path}`: {error.strerror or error}.") from error


def head_of(path: Path) -> bytes:
    """Return the first bytes of a regular file.

    Raises: ModelError if the file cannot be read.
    """
    try:
        with open_regular(path) as file:
            return file.read(HEAD_BYTES)
    except FileNotFoundError as error:
        raise ModelError(f"there is no file or folder `{path}`.") from error
    except OSError as error:
        raise ModelError(f"cannot read `{path}`: {error.strerror or error}.") from error


def is_safetensors(head: bytes) -> bool:
    """Return True if `head` begins with a length below 2^32 and a JSON object."""
    return head[8:9] == b"{" and head[4:8] == bytes(4)


def _is_npz(path: Path, head: bytes) -> bool:
    return head.startswith(ZIP) and any(name.endswith(".npy") for name in zip_file.names(path))


def _refused(path: Path, head: bytes) -> Unsupported | None:
    for magic, at, kind in KINDS:
        if head.startswith(magic, at):
            return kind
    checks = (_zip, _pickle, _array, _text, _by_name)
    return next((unsupported for check in checks if (unsupported := check(path, head))), None)


def hint_for(path: Path, kind: Unsupported) -> str:
    """Return the hint for a file of this kind, with a command that can be pasted."""
    if kind.converter is not None:
        command = f"recurra import {argument(path)} --converter > convert.py"
        written = argument(converted_path(path, kind.converter))
        return f"`{command}`; then, {PACKAGES[kind.converter]}, `python convert.py` writes {written}."
    bare = path.with_suffix("") if path.suffix in (".gz", ".bz2", ".xz", ".zst") else path.with_name(f"{path.name}.out")
    return (
        kind.hint.replace("{file}", argument(path))
        .replace("{bare}", argument(bare))
        .replace("{safetensors}", repr(path.with_suffix(".safetensors").name))
    )


def converted_path(path: Path, converter: str) -> Path:
    """Return the path of the file that a converter writes."""
    return (path if path.name else path.absolute()).with_suffix(CONVERTED_SUFFIXES[converter])


def argument(path: Path) -> str:
    """Quote a path for a shell command, so that a leading dash does not make it an option."""
    name = f"./{path}" if f"{path}".startswith("-") else f"{path}"
    return shlex.quote(name)


def _zip(path: Path, head: bytes) -> Unsupported | None:
    """Return the kind of a zip archive from the names of its members."""
    if not head.startswith(ZIP):
        return None
    members = [Path(name) for name in zip_file.names(path)]
    ends = {member.name for member in members}
    for name, kind in (
        ("constants.pkl", TORCHSCRIPT),
        ("data.pkl", OF_PYTORCH),
        ("model.weights.h5", OF_KERAS),
    ):
        if name in ends:
            return kind
    folder = path.with_suffix("") if path.suffix == ".zip" else path.with_name(f"{path.name}.d")
    safe = [member for member in members if member.name and not member.is_absolute() and ".." not in member.parts]
    models = [member for member in safe if member.suffix in (".safetensors", ".npz", ".mat")] or safe
    target = argument(folder / models[0]) if len(models) == 1 else argument(folder)
    return Unsupported("a zip archive", UNPACK.format(f"unzip {argument(path)} -d {argument(folder)}", target))


def _pickle(path: Path, head: bytes) -> Unsupported | None:
    if head.startswith(LEGACY_PYTORCH):
        return OF_PYTORCH
    if head.startswith(PICKLES):
        return OF_PYTORCH if b"torch" in head or path.suffix in (".pt", ".pth", ".ckpt") else OF_PYTHON
    return OF_PYTHON if head.startswith(ZLIB) and path.suffix in (".pkl", ".pickle", ".joblib", ".z") else None


def _array(_: Path, head: bytes) -> Unsupported | None:
    """Return the kind of an .npy file: one array, or a pickle in which `np.save` stored a dict."""
    if not head.startswith(numpy_file.NPY_MAGIC):
        return None
    if numpy_file.is_object(head):
        return Unsupported(f"an array of objects, a pickle, {RUNS_CODE}", converter=PICKLE)
    return Unsupported(
        "a single array of NumPy, but a network has five",
        'save them in one file: `numpy.savez("rnn.npz", U=U, W=W, V=V, b=b, c=c)`.',
    )


def _text(path: Path, head: bytes) -> Unsupported | None:
    start = head.lstrip().lower()
    if start.startswith((b"<!doctype html", b"<html", b"<?xml")):
        return Unsupported("a web page, not a model", "download the file itself.")
    if path.suffix != ".json" or not start.startswith((b"{", b"[", b'"')):
        return None
    if path.name.endswith(".index.json") and (shards := _shards(path)):
        return shards
    return Unsupported(
        "JSON without a network's weights",
        "if it is a vocabulary, name the network's file too: `recurra import NETWORK --vocabulary {file}`.",
    )


def _shards(path: Path) -> Unsupported | None:
    """Return the kind of an index of several safetensors files; None if the file is not such an index."""
    try:
        table = parse_json(files.read(path))["weight_map"]
        shards = sorted({name for name in table.values() if re.fullmatch(r"[\w.-]{1,200}\.safetensors", name)})
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    if len(shards) == 1:
        hint = f"import that file: `recurra import {argument(path.with_name(shards[0]))}`."
    else:
        joined = path.with_name("whole.safetensors")
        code = (
            "import sys; from safetensors.numpy import load_file, save_file; "
            "save_file({name: array for file in sys.argv[2:] for name, array in load_file(file).items()}, sys.argv[1])"
        )
        parts = " ".join(argument(path.with_name(shard)) for shard in shards)
        hint = f"join them: `python -c {shlex.quote(code)} {argument(joined)} {parts}`."
    return Unsupported(f"the index of {len(shards):,} safetensors files", hint)


def _by_name(path: Path, head: bytes) -> Unsupported | None:
    if head.startswith(LUA_TORCH):
        return Unsupported(
            f"a file of Lua Torch, as char-rnn and torch-rnn write it, {NOT_READ}",
            "train a new model on the same text: `recurra train input.txt --cell lstm --layers 2 --hidden-size 128`.",
        )
    if path.suffix == ".onnx" or (ONNX.match(head) and b"onnx" in head.lower()):
        return Unsupported(f"an ONNX file, {NOT_READ}", AGAIN)
    if TENSORFLOW_PART.fullmatch(path.name):
        return Unsupported(
            f"a part of a checkpoint of TensorFlow, {NOT_READ}",
            'load it into its model and save the model: `model.load_weights(...); model.save("model.keras")`.',
        )
    return None
