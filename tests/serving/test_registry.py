"""The registry: requests use names, never paths, and the names are fixed at the start."""

from __future__ import annotations

from pathlib import Path

import pytest

from recurra import LanguageModel
from recurra.errors import ModelError
from recurra.serving.registry import name_of, scan


def run_folder(folder: Path, model: LanguageModel) -> Path:
    (folder / "checkpoints").mkdir(parents=True)
    model.save(folder / "checkpoints" / "update-000000000001.safetensors")
    (folder / "run.toml").write_text("")
    return folder


def test_files_and_runs_have_unique_names(tmp_path: Path, model: LanguageModel, model_file: Path) -> None:
    folder = run_folder(tmp_path / "my run", model)
    result = scan([model_file, folder, str(model_file)])
    assert list(result) == ["small", "my-run", "small-2"]
    assert result.runs == {"my-run": folder}
    assert result["small"].sha256 == model.sha256
    assert result["my-run"].created > 1_600_000_000
    assert len(result) == 3


def test_without_paths_every_run_is_served(
    tmp_path: Path, model: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError, match="there is no run in `runs` to serve"):
        scan()
    for name in ("b", "a"):
        run_folder(tmp_path / "runs" / name, model)
    (tmp_path / "runs" / "empty").mkdir()
    (tmp_path / "runs" / "file").write_text("")
    assert list(scan()) == ["a", "b"]


def test_missing_path_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="there is no model"):
        scan([tmp_path / "none"])


@pytest.mark.parametrize(
    ("last", "name"),
    [("kjv", "kjv"), ("a b/c", "c"), ("é\x1b[31m", "31m"), ("...", "model"), ("x" * 100, "x" * 64), ("v1.5", "v1.5")],
)
def test_name_has_only_safe_characters(tmp_path: Path, last: str, name: str) -> None:
    folder = tmp_path / last
    folder.mkdir(parents=True)
    assert name_of(folder) == name


def test_name_of_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert name_of(Path()) == tmp_path.name


def test_path_is_not_a_name(model_file: Path) -> None:
    result = scan([model_file])
    for name in (str(model_file), "../small", "small/", "small\0", "SMALL", "./small", "small.safetensors"):
        assert name not in result
