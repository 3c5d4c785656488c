"""Hostile files: a function that creates each file, its loader, and the expected error.

`python hostile_files.py FOLDER` creates and loads all files in FOLDER, and prints the memory that each loader used.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import pickle
import socket
import sys
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import recurra
from recurra.config import ModelConfig
from recurra.errors import RecurraError
from recurra.io import bounded_io
from recurra.io.tensor_file import METADATA_KEY, ZEROS
from recurra.model import LanguageModel
from recurra.network.parameters import initialize
from recurra.runs import records as report_data
from recurra.runs import saved_model
from recurra.text.vocabulary import Vocabulary

Build = Callable[[Path], object]
CONFIG = ModelConfig(hidden_size=4)
SYMBOLS = "\n abc"
MODEL = LanguageModel(CONFIG, Vocabulary.of(SYMBOLS), initialize(CONFIG, 5, seed=1))
DTYPES = {"float32": "F32", "float64": "F64", "float16": "F16", "int32": "I32", "int64": "I64", "uint32": "U32"}
DTYPES |= {"uint8": "U8", "complex64": "C64"}
FAR = 1 << 62


class Case(NamedTuple):
    """A hostile file: `build` creates it; `words` are in the error of its loader, None if it loads."""

    name: str
    build: Build
    words: str | None


def forge(path: Path, header: bytes, body: bytes = b"") -> None:
    """Write a file with a right hash: the hash replaces the first `ZEROS`."""
    whole = len(header).to_bytes(8, "little") + header + body
    path.write_bytes(whole.replace(ZEROS.encode(), hashlib.sha256(whole).hexdigest().encode(), 1))


def metadata(**changes: Any) -> str:
    return json.dumps({**MODEL.metadata(), "sha256": ZEROS, **changes}, sort_keys=True)


def tensors(arrays: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    """Return the header entries of `arrays`, and their bytes."""
    header, body = {}, b""
    for name, array in arrays.items():
        data = np.ascontiguousarray(array).tobytes()
        offsets = [len(body), len(body) + len(data)]
        header[name] = {"dtype": DTYPES[array.dtype.name], "shape": list(array.shape), "data_offsets": offsets}
        body += data
    return header, body


def model_file(
    metadata_text: str | None = None, *, without: str = "", header: dict[str, Any] | None = None, **arrays: Any
) -> Build:
    """Return a builder of a model file with a right hash and changed metadata, arrays or header entries."""

    def build(path: Path) -> None:
        entries, body = tensors({n: a for n, a in {**MODEL.tensors(), **arrays}.items() if n != without})
        entries |= header or {}
        text = json.dumps(
            {"__metadata__": {METADATA_KEY: metadata() if metadata_text is None else metadata_text}, **entries}
        )
        forge(path, text.encode(), body)

    return build


def model_with(name: str, array: np.ndarray) -> Build:
    """Return a builder of a model file whose tensor `name` is `array`."""
    tensor: dict[str, Any] = {name: array}
    return model_file(**tensor)


def parameter(name: str, value: Any, dtype: str = "float32") -> Build:
    """Return a builder of a model file in which the first number of a parameter is `value`."""
    array = MODEL.parameters[name].astype(dtype)
    array.flat[0] = value
    return model_with(f"parameters.{name}", array)


def entry(*, dtype: str = "F32", shape: object = (0,), offsets: object = (0, 0)) -> dict[str, Any]:
    """Return the header entry of an additional array."""
    return {"extra": {"dtype": dtype, "shape": shape, "data_offsets": offsets}}


def vocabulary(points: list[int], dtype: str = "uint32") -> Build:
    return model_file(vocabulary=np.array(points, dtype))


def million(path: Path) -> None:
    """Write a valid model with 10^6 characters in its vocabulary."""
    points = np.delete(np.arange(1_002_048, dtype=np.uint32), np.s_[0xD800:0xE000])
    config = ModelConfig(hidden_size=1)
    LanguageModel(config, Vocabulary(points), initialize(config, len(points), seed=1)).save(path)


def raw(content: bytes) -> Build:
    return lambda path: path.write_bytes(content)


def of_header(header: bytes, body: bytes = b"") -> Build:
    return lambda path: forge(path, header, body)


def long_header(path: Path) -> None:
    """Write a model file with 300,000 empty arrays."""
    names = ",".join(f'"{i}":{{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}' for i in range(300_000))
    forge(path, f'{{"__metadata__":{{"{METADATA_KEY}":{json.dumps(metadata())}}},{names}}}'.encode())


def damaged(change: Callable[[bytearray], object]) -> Build:
    def build(path: Path) -> None:
        MODEL.save(path)
        content = bytearray(path.read_bytes())
        change(content)
        path.write_bytes(content)

    return build


def zip_bomb(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("weights", bytes(1 << 24))


def sparse(path: Path) -> None:
    """Write a sparse file of 10 GB."""
    with path.open("wb") as file:
        file.truncate(10 * 2**30)


def bind(path: Path) -> None:
    here = Path.cwd()
    os.chdir(path.parent)  # the path of a socket must be short
    try:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(path.name)
    finally:
        os.chdir(here)


DEEP = 100_000
DAMAGED = "or it is damaged"
NOT_OURS = "was not written by recurra: it lacks the metadata of recurra"
NO_MODEL = "does not hold a model: "
HUGE = "9" * 4000
NAMED_TWICE = metadata().replace('"bytes": false', '"bytes": false, "bytes": true')
HIDDEN = "`hidden_size` must be a whole number, between 1 and 16384; got "

MODELS = [
    Case("empty", raw(b""), "or it is cut off"),
    Case("seven bytes", raw(b"\x02\0\0\0\0\0\0"), "or it is cut off"),
    Case("a header of 2^63 bytes", raw((1 << 63).to_bytes(8, "little") + b"{}"), "or it is cut off"),
    Case("a header longer than the file", raw((200).to_bytes(8, "little") + b"{}"), "or it is cut off"),
    Case("300,000 arrays", long_header, "or it is cut off"),
    Case("a header that is no JSON", of_header(b"{]"), DAMAGED),
    Case("a header that is a list", of_header(b"[]"), "is not a model file of recurra."),
    Case("a header in no UTF-8", of_header(b'{"\xff": 1}'), DAMAGED),
    Case("a header nested deeply", of_header(b'{"a":' * DEEP + b"1" + b"}" * DEEP), DAMAGED),
    Case("a header with a huge number", of_header(b'{"a":' + b"9" * 5000 + b"}"), DAMAGED),
    Case("a header with an array twice", of_header(b'{"a":{},"a":{}}'), DAMAGED),
    Case("a header of as many values as go in", of_header(b'{"a":[' + b"[]," * 340_000 + b"[]]}"), DAMAGED),
    Case("a header of names alone", of_header(b"{" + b",".join(b'"%d":7' % i for i in range(9999)) + b"}"), DAMAGED),
    Case("metadata nested deeply", model_file("[" * DEEP), NOT_OURS),
    Case("metadata that are a list", model_file("[]"), NOT_OURS),
    Case("metadata with NaN", model_file(metadata(best=float("nan"))), NOT_OURS),
    Case("metadata with a number beyond all", model_file(metadata(best=17).replace("17", "1e999")), NOT_OURS),
    Case("metadata with a name twice", model_file(NAMED_TWICE), NOT_OURS),
    Case("metadata with half a character", model_file(metadata(note="\ud800")), None),
    Case("a hash in capitals", model_file(metadata(sha256="A" * 64)), NOT_OURS),
    Case("another hash", model_file(metadata(sha256="0" * 63 + "1")), "do not have the sha256"),
    Case("a format of the future", model_file(metadata(format=2)), "has format 2; this version of recurra reads"),
    Case("a format that is true", model_file(metadata(format=True)), "has format True"),
    Case("a format without end", model_file(metadata(format="x" * 99_999)), "has format 'x"),
    Case("a network that is a list", model_file(metadata(model=[])), f"{NO_MODEL}`model` must be a table"),
    Case("a setting that is none", model_file(metadata(model={"\x1b[2J": 1})), f"{NO_MODEL}unknown setting"),
    Case("10^9 units", model_file(metadata(model={"hidden_size": 10**9})), f"{HIDDEN}1000000000."),
    Case("10^4000 units", model_file(metadata(model={"hidden_size": 7}).replace("7", HUGE)), f"{HIDDEN}999"),
    Case("fewer units than one", model_file(metadata(model={"hidden_size": -1})), f"{HIDDEN}-1"),
    Case("units that are a word", model_file(metadata(model={"hidden_size": "4"})), f"{HIDDEN}'4'"),
    Case("units that are true", model_file(metadata(model={"hidden_size": True})), f"{HIDDEN}True"),
    Case("the largest network", model_file(metadata(model={"hidden_size": 16384, "layers": 64})), "must have shape"),
    Case("bytes that are a number", model_file(metadata(bytes=0)), "`bytes` true or false"),
    Case("bytes that are not 256", model_file(metadata(bytes=True)), "must be the code points 0 to 255"),
    Case("no vocabulary", model_file(without="vocabulary"), f"{NO_MODEL}'vocabulary' is missing"),
    Case("a character twice", vocabulary([10, 32, 97, 97, 99]), "must have each character once, in ascending order"),
    Case(
        "characters out of order", vocabulary([10, 32, 98, 97, 99]), "must have each character once, in ascending order"
    ),
    Case("a surrogate", vocabulary([10, 32, 97, 98, 0xD800]), "has a surrogate, which is no character"),
    Case("a number beyond Unicode", vocabulary([10, 32, 97, 98, 0x110000]), "not a code point of Unicode"),
    Case("an empty vocabulary", vocabulary([]), "must be a list of code points"),
    Case("a vocabulary with two sides", model_file(vocabulary=np.ones((5, 1), np.uint32)), "must be a list of code po"),
    Case("a vocabulary of int64", vocabulary([-1, 32, 97, 98, 99], "int64"), "'vocabulary' must be uint32; got int64"),
    Case("10^6 characters", million, None),
    Case("a parameter that is NaN", parameter("V", np.nan), "`parameters.V` has a number that is not finite"),
    Case("a parameter that is infinite", parameter("c", np.inf), "`parameters.c` has a number that is not finite"),
    Case("a parameter beyond float32", parameter("V", 1e300, "float64"), "parameter `V` must be finite; got inf"),
    Case("a parameter that is denormal", parameter("V", 1e-45), None),
    Case("a parameter of float16", parameter("V", 0, "float16"), "must be float32 or float64; got float16"),
    Case("a parameter of int32", parameter("V", 0, "int32"), "must be float32 or float64; got int32"),
    Case("a complex parameter", parameter("V", 1j, "complex64"), "must be float32 or float64; got complex64"),
    Case("a parameter turned around", model_with("parameters.V", MODEL.parameters["V"].T), "must have shape 5x4"),
    Case("a parameter too few", model_file(without="parameters.V"), "parameter `V` is missing"),
    Case("a parameter too many", model_with("parameters.Z", np.zeros(1)), "unknown parameter `Z`"),
    Case("an array too many", model_file(weights=np.zeros(1)), "unknown array 'weights'"),
    Case("an optimizer of another network", model_with("optimizer.squares.V", np.zeros((5, 3))), "does not fit"),
    Case("an optimizer without its weight", model_with("optimizer.average_weight", np.zeros(0)), "does not fit"),
    Case("an optimizer of whole numbers", model_with("optimizer.squares.V", np.zeros((5, 4), int)), "got int64"),
    Case("a state of another network", model_with("state.h", np.zeros((1, 1, 5))), "does not fit the network"),
    Case("a state of no stream", model_with("state.h", np.zeros((1, 0, 4))), "does not fit the network"),
    Case("a state without sides", model_with("state.h", np.zeros(())), "does not fit the network"),
    Case("arrays over one another", model_file(header=entry(shape=(1,), offsets=(0, 4))), "is damaged: "),
    Case("an array behind the end", model_file(header=entry(shape=(FAR,), offsets=(0, FAR))), "longer or shorter"),
    Case("an array that ends before it begins", model_file(header=entry(offsets=(8, 4))), "is damaged: "),
    Case(
        "bytes of no array",
        of_header(json.dumps({"__metadata__": {METADATA_KEY: metadata()}}).encode(), b"\0"),
        "longer or",
    ),
    Case("a shape beyond 64 bits", model_file(header=entry(shape=(1 << 33, 1 << 33))), "is damaged: "),
    Case("a shape below zero", model_file(header=entry(shape=(-1,))), "is damaged: "),
    Case("a shape of nothing and everything", model_file(header=entry(shape=(0, 1 << 60))), "unknown array 'extra'"),
    Case("a shape of a hundred sides", model_file(header=entry(shape=(0,) * 100)), "is damaged: "),
    Case("a shape that is a word", model_file(header=entry(shape="long")), "is damaged: "),
    Case("a type that is none", model_file(header=entry(dtype="X9")), "is damaged: "),
    Case("a type that NumPy has not", model_file(header=entry(dtype="F8_E4M3")), "is damaged: |unknown array 'extra'"),
    Case("an array without a place", model_file(header={"extra": {"dtype": "F32"}}), DAMAGED),
    Case("a bit flipped", damaged(lambda content: content.__setitem__(-3, content[-3] ^ 4)), "do not have the sha256"),
    Case("cut off", damaged(lambda content: content.__delitem__(slice(-8, None))), "longer or shorter"),
    Case("a pickle", raw(pickle.dumps({"weights": [1.0] * 99})), "is not a model file of recurra."),
    Case("a zip bomb", zip_bomb, "is not a model file of recurra."),
    Case("a hole of 10 GB", sparse, "is not a model file of recurra."),
    Case("a pipe", os.mkfifo, "has no checkpoint"),
    Case("a device without end", lambda path: path.symlink_to("/dev/zero"), "has no checkpoint"),
    Case("a socket", bind, "has no checkpoint"),
    Case("a folder", Path.mkdir, "has no checkpoint"),
    Case("a link to nothing", lambda path: path.symlink_to("nothing"), "there is no model"),
    Case("a link to itself", lambda path: path.symlink_to(path.name), "there is no model"),
]


def run_file(name: str, content: bytes | str | Build) -> Build:
    """Return a builder of a run directory with settings, one record, and the hostile file `name`."""

    def build(folder: Path) -> None:
        folder.mkdir()
        (folder / "run.toml").write_text('[training]\npreset = "classic"\n')
        (folder / "metrics.jsonl").write_text(RECORD)
        (folder / name).unlink(missing_ok=True)
        if callable(content):
            content(folder / name)
        else:
            (folder / name).write_bytes(
                content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
            )

    return build


RECORD = '{"update": 5, "epoch": 0.5, "loss": {"mean": 80.0, "min": 1, "max": 99.0}, "smooth_loss": 80.0}\n'
NUMBER = "expected a finite number as "
MANY = "".join(f'{{"{i}": {i}.5}},' for i in range(149_000))  # each entry is a table with a new name
LONG_LINE = '{"update": 1, "text": "' + "x" * (bounded_io.MAX_TEXT_BYTES + 1) + '"}\n'

RUNS = [
    Case("toml that is none", run_file("run.toml", "[half"), "run.toml` is not TOML: "),
    Case("toml in no UTF-8", run_file("run.toml", b"a = \xff"), "run.toml` is not TOML: "),
    Case("toml nested deeply", run_file("run.toml", "a = " + "[" * DEEP), "nested too deeply"),
    Case("toml nested less", run_file("run.toml", "[text]\na = " + "[" * 150 + "]" * 150), None),
    Case("toml with a key of many parts", run_file("run.toml", "a." * DEEP + "a = 1"), "a key has too many parts"),
    Case(
        "toml with a key that hides its parts",
        run_file("run.toml", "x={'\"'=1,a" + ".a" * DEEP + "=2,'\"'=3}"),
        "plain",
    ),
    Case(
        "toml with too many values", run_file("run.toml", "a = [" + "[]," * 400_000 + "]"), "more than 300,000 values"
    ),
    Case("toml with a key twice", run_file("run.toml", "a = 1\na = 2\n"), "run.toml` is not TOML: "),
    Case("toml with a huge number", run_file("run.toml", "a = " + "9" * 5000), "run.toml` is not TOML: "),
    Case("toml with a number beyond all", run_file("run.toml", "[training]\nsequence_length = 1e999"), None),
    Case("toml of other types", run_file("run.toml", "training = 7\n[text]\nname = []\n[model]\ncell = [[{}]]"), None),
    Case(
        "toml with sizes that are none", run_file("run.toml", '[training]\nbatch_size = "x"\nsequence_length = 0'), None
    ),
    Case(
        "toml too long", run_file("run.toml", "#" * (bounded_io.MAX_TEXT_BYTES + 1)), "it has more than 8,388,608 bytes"
    ),
    Case("toml that is a pipe", run_file("run.toml", os.mkfifo), "run.toml` cannot be read: it is not a regular file"),
    Case("toml that is a folder", run_file("run.toml", Path.mkdir), "run.toml` cannot be read: Is a directory"),
    Case("records nested deeply", run_file("metrics.jsonl", "[" * DEEP + "\n"), "line 1 is not JSON: it is nested too"),
    Case("records of strings", run_file("metrics.jsonl", RECORD.replace("5", '"5"', 1)), f"{NUMBER}`update`, got '5'"),
    Case("a record of NaN", run_file("metrics.jsonl", RECORD.replace("80.0", "NaN")), f"{NUMBER}`mean`, got None"),
    Case("a record beyond float", run_file("metrics.jsonl", RECORD.replace("5,", "9" * 400 + ",", 1)), f"{NUMBER}`upd"),
    Case("a record beyond int", run_file("metrics.jsonl", RECORD.replace("5,", "9" * 5000 + ",", 1)), "is not JSON: "),
    Case("a record of no time", run_file("metrics.jsonl", RECORD.replace("0.5", "1e-320")), None),
    Case("a record of much time", run_file("metrics.jsonl", RECORD.replace("0.5", "1e14")), None),
    Case("a record that is vast", run_file("metrics.jsonl", RECORD.replace("80.0", "1e14")), None),
    Case(
        "records that are a device",
        run_file("metrics.jsonl", lambda p: p.symlink_to("/dev/zero")),
        "not a regular file",
    ),
    Case("a sample without end", run_file("samples.jsonl", LONG_LINE), "a line has more than 8,388,608 bytes"),
    Case("a sample of halves", run_file("samples.jsonl", '{"update": 1, "text": "\\ud800\\u001b[2J"}\n'), None),
    Case("a sample in no UTF-8", run_file("samples.jsonl", b'{"update": 1, "text": "\xff"}\n'), "line 1 is not JSON: "),
    Case("a sample that is a list", run_file("samples.jsonl", '{"update": 1, "text": []}\n'), "expected a string as"),
    Case(
        "a summary nested deeply", run_file("summary.json", '{"a":' * DEEP), "summary.json` is not JSON: it is nested"
    ),
    Case(
        "a summary of many values", run_file("summary.json", "[" + "[]," * 600_000 + "0]"), "more than 300,000 values"
    ),
    Case("a summary of as many values as go in", run_file("summary.json", "[" + MANY + "0]"), "expected an object"),
    Case(
        "a summary of other types",
        run_file("summary.json", '{"updates": "x", "epoch_means": 7, "baselines": []}'),
        None,
    ),
    Case(
        "a summary of huge numbers", run_file("summary.json", '{"updates": 1e300, "seconds": ' + "9" * 400 + "}"), None
    ),
    Case("a summary that is a number", run_file("summary.json", "3"), "summary.json`: expected an object, got 3"),
    Case(
        "a summary that is a pipe",
        run_file("summary.json", os.mkfifo),
        "summary.json` cannot be read: it is not a regul",
    ),
]


def npz(header: str, data: bytes = b"", name: str = "U.npy", **how: Any) -> Build:
    """Return a builder of an .npz file with one array, which has exactly this `header`."""
    text = header.encode()

    def build(path: Path) -> None:
        with zipfile.ZipFile(path, "w", **how) as archive:
            archive.writestr(name, b"\x93NUMPY\2\0" + len(text).to_bytes(4, "little") + text + data)

    return build


def network_npz(**changes: Any) -> Build:
    """Return a builder of a compressed .npz file with the network of DD2424 assignment 4 and `changes`."""
    shapes = {"U": (4, 5), "W": (4, 4), "V": (5, 4), "b": (4, 1), "c": (5, 1)}
    arrays = {name: np.ones(shape) for name, shape in shapes.items()} | {"chars": list("abcde")}

    def build(path: Path) -> None:
        with path.open("wb") as file:
            np.savez_compressed(file, **(arrays | changes))

    return build


def entries(count: int) -> Build:
    """Return a builder of a zip archive of `count` empty files."""

    def build(path: Path) -> None:
        with zipfile.ZipFile(path, "w") as archive:
            for number in range(count):
                archive.writestr(f"{number}.npy", b"")

    return build


def claimed_directory(path: Path) -> None:
    """Write a zip archive whose end record claims a directory of 4 GB."""
    path.write_bytes(b"PK\3\4" + bytes(99) + b"PK\5\6" + bytes(8) + b"\xff" * 4 + bytes(6))


def overlapping(path: Path) -> None:
    """Write a zip archive whose 900 entries share one compressed megabyte of zeros."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': ({1 << 17},), }}".encode()
        archive.writestr("0.npy", b"\x93NUMPY\1\0" + len(header).to_bytes(2, "little") + header + bytes(1 << 20))
        archive.filelist *= 900


ARRAY = "{{'descr': '{}', 'fortran_order': False, 'shape': {}, }}"
IMPORTS = [
    Case("npz without an end", raw(b"PK\3\4" + bytes(99)), "is a zip archive that is truncated"),
    Case("npz with a directory of 4 GB", claimed_directory, "is a zip archive of too many files"),
    Case("npz of 1,001 arrays", entries(1001), "has more than 1,000 arrays"),
    Case("npz of 30,000 files", entries(30_000), "is a zip archive of too many files"),
    Case("npz of one array 900 times", overlapping, "are too large|is a zip archive that is damaged"),
    Case("npz with 8 TB", npz(ARRAY.format("<f8", f"({1 << 40 - 1},)")), "are too large"),
    Case("npz with a shape of 10^60", npz(ARRAY.format("<f8", f"({10**60},)")), "has an impossible shape"),
    Case("npz with a huge number", npz(ARRAY.format("<f8", f"({'9' * 99})")), "has an impossible shape"),
    Case("npz with a long header", npz("{" + " " * 99_999 + "}"), "has an invalid header"),
    Case("npz with a header of code", npz("{'descr': open('/etc/passwd'), 'shape': ()}"), "recurra does not read: `U`"),
    Case("npz nested deeply", npz("{" + "(" * 9_999 + "}"), "recurra does not read: `U`"),
    Case("npz of objects", npz(ARRAY.format("|O", "()"), pickle.dumps([1.0])), "recurra does not read: `U`"),
    Case("npz with a string of gigabytes", npz(ARRAY.format("<U9999", f"({1 << 20},)")), "are too large"),
    Case("npz bomb", network_npz(U=np.zeros(1 << 24)), "are too large"),
    Case("npz that unpacks to 16 MB", network_npz(more=np.zeros((1 << 21) - 999)), None),
    Case("npz of 2^24 units", network_npz(W=np.zeros((1 << 20, 1), np.int8)), "has more than 16,777,216 parameters"),
    Case(
        "npz in bzip2",
        npz(ARRAY.format("<f8", "()"), compression=zipfile.ZIP_BZIP2),
        "a compression that NumPy does not use",
    ),
    Case("npz with names of control characters", npz("{}", name="\x1b[2J.npy"), "recurra does not read: `"),
    Case(
        "a pickle to import",
        raw(pickle.dumps({"weights": [1.0] * 99})),
        "is a pickle of Python, which recurra does not read",
    ),
    Case("a zip bomb to import", zip_bomb, "is a zip archive"),
    Case("a hole of 10 GB to import", sparse, "is not a safetensors file"),
    Case("a pipe to import", os.mkfifo, "it is not a regular file"),
    Case("a device to import", lambda path: path.symlink_to("/dev/zero"), "it is not a regular file"),
]


def load_run(folder: Path) -> object:
    return report_data.load(folder)


def files() -> list[tuple[Case, Callable[[Path], object]]]:
    loaders: list[tuple[list[Case], Callable[[Path], object]]]
    loaders = [(MODELS, saved_model.load), (RUNS, load_run), (IMPORTS, recurra.import_model)]
    return [(case, load) for cases, load in loaders for case in cases]


def weight(path: Path) -> int:
    """Return the size in bytes of a file, of its target, or of the files of a folder; 0 for a pipe or a device."""
    if path.is_dir():
        return sum(map(weight, path.iterdir()))
    return path.stat().st_size if path.is_file() else 0


def measure(folder: Path) -> dict[str, tuple[int, int]]:
    """Return for each hostile file its size and the peak memory of its loader, in bytes."""
    measured = {}
    for number, (case, load) in enumerate(files()):
        path = folder / f"measured-{number}"
        case.build(path)
        tracemalloc.start()
        with contextlib.suppress(RecurraError):
            load(path)
        measured[case.name] = (weight(path), tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    return measured


if __name__ == "__main__":
    print(json.dumps(measure(Path(sys.argv[1]))))
