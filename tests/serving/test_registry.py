"""Names, not paths: what is served is known when the server starts."""

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


def test_files_and_runs_by_name(tmp_path: Path, model: LanguageModel, model_file: Path) -> None:
    folder = run_folder(tmp_path / "my run", model)
    found = scan([model_file, folder, str(model_file)])
    assert list(found) == ["small", "my-run", "small-2"]
    assert found.runs == {"my-run": folder}
    assert found["small"].sha256 == model.sha256
    assert found["my-run"].created > 1_600_000_000
    assert len(found) == 3


def test_without_paths_every_run(tmp_path: Path, model: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError, match="there is no run in `runs` to serve"):
        scan()
    for name in ("b", "a"):
        run_folder(tmp_path / "runs" / name, model)
    (tmp_path / "runs" / "empty").mkdir()
    (tmp_path / "runs" / "file").write_text("")
    assert list(scan()) == ["a", "b"]


def test_what_cannot_be_served(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="there is no model"):
        scan([tmp_path / "none"])


@pytest.mark.parametrize(
    ("last", "name"),
    [("kjv", "kjv"), ("a b/c", "c"), ("é\x1b[31m", "31m"), ("...", "model"), ("x" * 100, "x" * 64), ("v1.5", "v1.5")],
)
def test_names(tmp_path: Path, last: str, name: str) -> None:
    folder = tmp_path / last
    folder.mkdir(parents=True)
    assert name_of(folder) == name


def test_the_name_of_the_folder_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert name_of(Path()) == tmp_path.name


def test_only_names_are_looked_up(model_file: Path) -> None:
    found = scan([model_file])
    for name in (str(model_file), "../small", "small/", "small\0", "SMALL", "./small", "small.safetensors"):
        assert name not in found
