"""`recurra export` and `recurra import` as a user calls them."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
from pathlib import Path

import pytest
from safetensors.numpy import load_file, save_file

import recurra
from calling import Call

FILES = {
    "folder": [
        "small-model/config.json",
        "small-model/vocab.json",
        "small-model/README.md",
        "small-model/model.safetensors",
    ],
    "torch": ["small.safetensors"],
    "onnx": ["small.onnx"],
    "matlab": ["small.mat", "sample_small.m"],
}


@pytest.mark.parametrize("format", FILES)
def test_export_prints_paths_to_stdout_and_facts_to_stderr(call: Call, trained: Path, format: str) -> None:
    package = {"onnx": "onnx", "matlab": "scipy"}.get(format)
    if package:
        pytest.importorskip(package, reason=f"the export is by {package}")
    code, out, err = call("export", trained, "--format", format)
    assert (code, out.splitlines()) == (0, FILES[format])
    assert all(Path(name).stat().st_size > 100 for name in FILES[format])
    said = dict(line.split("  ", 1) for line in err.splitlines())
    assert said["weights"].strip() == "the best checkpoint, of update 200"
    assert list(said) == ["network", "symbols", "weights", "text"]
    code, out, err = call("export", trained, "--format", format)
    assert (code, out) == (2, "")
    assert " already exists.\nhint: give another name with `-o`, or `--force` to replace it." in err
    assert call("export", trained, "--format", format, "--force", "--quiet") == (0, "\n".join([*FILES[format], ""]), "")


def test_default_export_format_is_folder(call: Call, trained: Path) -> None:
    assert call("export", trained, "-o", "a/b").out.splitlines()[-1] == "a/b/model.safetensors"


def test_model_file_without_run_is_exported(call: Call, trained: Path) -> None:
    file = trained / "checkpoints" / "best.safetensors"
    Path("mine.safetensors").write_bytes(file.read_bytes())
    assert call("export", "mine.safetensors", "--format", "torch", "-o", "out").out == "out\n"
    assert call("export", "nothing").code == 4


@pytest.mark.parametrize("format", ["folder", "torch", "matlab"])
def test_imported_export_writes_same_text(call: Call, trained: Path, format: str) -> None:
    if format == "matlab":
        pytest.importorskip("scipy", reason="the export is by scipy")
    call("export", trained, "--format", format)
    code, out, err = call("import", FILES[format][0].split("/")[0])
    name = {"folder": "small-model-imported.safetensors"}.get(format, "small-imported.safetensors")
    assert (code, out) == (0, f"{name}\n")
    assert err.startswith("network        elman (tanh), 1 × 8 units, ")
    assert call("sample", name) == call("sample", trained)
    assert call("import", FILES[format][0].split("/")[0]).code == 2
    assert call("import", FILES[format][0].split("/")[0], "--force", "--quiet") == (0, f"{name}\n", "")


def test_imported_model_can_be_scored_and_trained(call: Call, trained: Path, book: Path) -> None:
    call("export", trained, "-o", "m")
    call("import", "m", "-o", "mine")
    scores = [json.loads(call("score", model, book, "--json").out)["nats"] for model in ("mine", trained)]
    assert scores[0] == scores[1]
    assert call("train", book, "--from", "mine", "--updates", "20", "--run", "r", "--no-proof", "--quiet").code == 0
    assert recurra.load("r").vocabulary == recurra.load(trained).vocabulary


@pytest.fixture
def foreign(trained: Path) -> Path:
    """A state_dict under other names and without metadata."""
    tensors = load_file(recurra.export(trained, "a.safetensors", format="torch"))
    renamed = {name.replace("rnn.", "net.").replace("output.", "fc."): array for name, array in tensors.items()}
    save_file(renamed, "theirs.safetensors")
    return Path("theirs.safetensors")


def test_state_dict_needs_text_or_vocabulary(call: Call, trained: Path, foreign: Path, book: Path) -> None:
    code, _, err = call("import", foreign)
    assert code == 2
    assert "does not contain the characters of its ids.\n" in err
    assert "\nhint: give its training text, `recurra import theirs.s" in err
    named = ["--recurrent", "net", "--projection", "fc", "--activation", "tanh", "--encoding", "utf-8"]
    assert call("import", foreign, "--text", book, *named, "-o", "b/mine").code == 0
    assert recurra.load("b/mine").sha256 == recurra.load(trained).sha256
    Path("ids.json").write_text(json.dumps(recurra.load(trained).vocabulary.symbols))
    assert call("import", foreign, "--vocabulary", "ids.json", "-o", "other").code == 0
    assert Path("other").read_bytes() == Path("b/mine").read_bytes()


ERRORS = [
    ("export", 2, "MODEL is missing."),
    ("export m --format keras", 2, "`format` must be one of folder, torch, onnx, matlab; got 'keras'."),
    ("export m --fromat torch", 2, "there is no option `--fromat`."),
    ("export m", 4, "there is no model `m`."),
    ("import", 2, "FILE is missing."),
    ("import m", 4, "there is no file or folder `m`."),
    ("import m --vocabulary a --text b", 2, "`--vocabulary` and `--text` both give the characters of the ids."),
    ("import m --text", 2, "`--text` needs a value."),
    ("import m --vocab x", 2, "there is no option `--vocab`."),
    ("import m -o .", 2, "`.` already exists."),
]


@pytest.mark.parametrize(("line", "code", "words"), ERRORS, ids=[line for line, _, _ in ERRORS])
def test_wrong_export_and_import_arguments(call: Call, line: str, code: int, words: str) -> None:
    done = call(*line.split())
    assert (done.code, done.out) == (code, "")
    assert done.err.splitlines()[0] == f"error: {words}"


def test_missing_package_is_reported_before_writing(call: Call, trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "onnx" else real(name))
    code, out, err = call("export", trained, "--format", "onnx")
    assert (code, out) == (2, "")
    assert err.splitlines() == [
        "error: `--format onnx` needs the package onnx, which is not installed.",
        "hint: pip install 'recurra[onnx]'",
    ]
    assert os.listdir() == []  # noqa: PTH208 - nothing at all


def test_import_loads_no_other_framework(command: list[str], environment: dict[str, str], trained: Path) -> None:
    recurra.export(trained, "m")
    code = "import sys; from recurra.cli import main; main(['import', 'm']); print({'torch'} & set(sys.modules))"
    done = subprocess.run([command[0], "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.splitlines() == ["m-imported.safetensors", "set()"]
