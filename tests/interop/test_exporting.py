"""Exports: their paths, existing files, and the packages that they need."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest

import recurra
from networks import same, small
from recurra.cli.command_line import build
from recurra.errors import StorageError, UsageError
from recurra.interop import exporting, file_kinds, files
from recurra.interop.format_registry import EXPORTS, FORMATS, READERS
from recurra.interop.origin import Origin
from recurra.io.atomic_write import OUTPUT_PLACE
from recurra.system import optional_dependencies


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def without(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == package else real(name))


@pytest.mark.parametrize(("format", "package"), [("onnx", "onnx"), ("matlab", "scipy")])
def test_missing_package_error_has_the_install_command(
    monkeypatch: pytest.MonkeyPatch, format: str, package: str
) -> None:
    without(monkeypatch, package)
    words = f"`--format {format}` needs the package {package}, which is not installed."
    with pytest.raises(UsageError, match=words) as error:
        recurra.export(small(), "out.mat", format=format)
    assert error.value.hint == f"pip install 'recurra[{format}]'"
    assert list(Path().iterdir()) == []


def test_folders_state_dicts_and_imports_need_no_package(monkeypatch: pytest.MonkeyPatch) -> None:
    for package in ("onnx", "scipy", "torch"):
        without(monkeypatch, package)
    monkeypatch.setattr(optional_dependencies, "require", lambda *_: pytest.fail("a package was required"))
    for format in ("folder", "torch"):
        assert same(recurra.import_model(recurra.export(small(), format, format=format)), small())


@pytest.mark.parametrize(
    ("name", "format", "expected"),
    [
        ("kjv", "folder", "kjv-model"),
        ("kjv", "torch", "kjv.safetensors"),
        ("my run", "onnx", "my_run.onnx"),
        ("a/b\n\x1b", "matlab", "a_b__.mat"),
        ("日本", "torch", "日本.safetensors"),
    ],
)
def test_default_path_of_an_export(name: str, format: str, expected: str) -> None:
    assert exporting.default_path(Origin(small(), name, {}), format) == Path(expected)


def test_export_without_a_path_goes_to_the_current_folder() -> None:
    assert recurra.export(small(), format="torch") == Path("model.safetensors")
    assert Path("model.safetensors").is_file()


@pytest.mark.parametrize("format", ["folder", "torch"])
def test_existing_files_are_replaced_only_with_force(format: str) -> None:
    recurra.export(small(), "out", format=format)
    before = {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()}
    other = small()
    other = other.with_parameters({"c": np.full_like(other.parameters["c"], 7)})
    with pytest.raises(UsageError, match="already exists") as error:
        recurra.export(other, "out", format=format)
    assert error.value.hint == "give another name with `-o`, or `--force` to replace it."
    assert {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()} == before
    recurra.export(other, "out", format=format, force=True)
    assert same(recurra.import_model("out"), other)


def test_export_to_a_folder_keeps_other_files() -> None:
    Path("out").mkdir()
    Path("out/mine.txt").write_text("mine")
    recurra.export(small(), "out")
    assert Path("out/mine.txt").read_text() == "mine"


def test_existing_function_of_matlab_is_replaced_only_with_force() -> None:
    pytest.importorskip("scipy", reason="the export is by SciPy")
    Path("sample_a.m").write_text("mine")
    with pytest.raises(UsageError, match=r"`sample_a.m` already exists"):
        recurra.export(small(), "a.mat", format="matlab")
    assert not Path("a.mat").exists()
    recurra.export(small(), "a.mat", format="matlab", force=True)
    assert Path("sample_a.m").read_text().startswith("function ")


def test_unwritable_path_is_an_error() -> None:
    Path("file").write_text("mine")
    Path("folder").mkdir()
    with pytest.raises(UsageError, match="`file` already exists, and is not a folder"):
        recurra.export(small(), "file", force=True)
    with pytest.raises(UsageError, match="`folder` already exists") as error:
        recurra.export(small(), "folder", format="torch", force=True)
    assert error.value.hint == "give another name with `-o`."
    with pytest.raises(StorageError, match="cannot write `file/below`: `file` is a file, not a folder"):
        recurra.export(small(), "file/below", format="torch")
    with pytest.raises(StorageError, match=r"cannot write `/proc/nowhere/a`: ") as storage:
        recurra.export(small(), "/proc/nowhere/a", format="torch")
    assert storage.value.exit_code == 7
    for name, words in (("x" * 300, "File name too long"), ("a\0b", "`path` must be a path|embedded null byte")):
        for format in ("folder", "torch"):
            with pytest.raises((StorageError, UsageError), match=words):
                recurra.export(small(), f"below/{name}", format=format)
        with pytest.raises(StorageError, match=words):
            files.write_model(small(), Path(f"{name}/model"))
    with pytest.raises(StorageError, match=r"cannot write `folder`: ") as storage:
        files.write_model(small(), Path("folder"))
    assert storage.value.hint == f"name a file in it, or {OUTPUT_PLACE}"


def test_unknown_format_is_an_error() -> None:
    with pytest.raises(UsageError, match=f"`format` must be one of {', '.join(EXPORTS)}; got 'keras'"):
        recurra.export(small(), "out", format="keras")
    with pytest.raises(UsageError, match=re.escape("a MAT-file's name must end in .mat; got `out`.")):
        recurra.export(small(), "out", format="matlab")


def test_every_kind_of_file_has_one_reader() -> None:
    assert all(entry.contents or entry.read for entry in FORMATS.values())
    kinds = [entry.kind for entry in FORMATS.values() if entry.kind is not None]
    assert len(set(kinds)) == len(kinds)
    assert set(READERS) == {file_kinds.FOLDER, file_kinds.SAFETENSORS, file_kinds.MAT, file_kinds.NPZ}
    assert all(entry.read for entry in FORMATS.values() if entry.kind is not None)


@pytest.mark.parametrize("format", EXPORTS)
def test_help_lists_each_format_and_targets_match_the_files(format: str) -> None:
    (option,) = [one for one in build()["export"].assemble_argument_collection() if "--format" in one.names]
    assert re.search(rf"\b{format}\b", str(option.parameter.help))
    if format in ("onnx", "matlab"):
        pytest.importorskip({"onnx": "onnx", "matlab": "scipy"}[format], reason="the export is by this package")
    path = Path("announced.mat")
    written = exporting.write(Origin(small(), "model", {}), path, format, force=False)
    assert set(written) == set(FORMATS[format].targets(path))
    assert {path for path in Path().rglob("*") if path.is_file()} == set(written)
