"""Users without a home directory, such as the user of a container whose number has no account."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs
import pytest

from recurra.cli.commands import doctor
from recurra.engines.kernels import disk_cache
from recurra.system.system_info import cache_folder
from recurra.text import id_file

HOMELESS = Path(os.sep, ".cache", "recurra").absolute()


@pytest.fixture(params=["an error", "a tilde"])
def homeless(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove the home directory, as new and as old versions of platformdirs report it."""

    def user_cache_dir(name: str) -> str:
        if request.param == "an error":
            raise RuntimeError("could not determine the home directory")
        return f"~/.cache/{name}"

    monkeypatch.setattr(platformdirs, "user_cache_dir", user_cache_dir)
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)


@pytest.mark.skipif(os.name != "posix", reason="accounts have no numbers here")
def test_no_account(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_account(number: int) -> None:
        raise KeyError(number)

    for name in ("HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", no_account)
    assert cache_folder() == HOMELESS


@pytest.mark.usefixtures("homeless")
def test_caches_have_a_folder_without_home() -> None:
    assert id_file.cache_folder() == HOMELESS / "texts"
    assert disk_cache.kernel_cache.__wrapped__().folder.parent == HOMELESS / "kernels"


@pytest.mark.usefixtures("homeless")
def test_numba_cache_dir_selects_kernel_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    assert disk_cache.kernel_cache.__wrapped__().folder.parent == tmp_path / "recurra"


def test_doctor_names_a_text_cache_that_cannot_be_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr(id_file, "cache_folder", lambda: tmp_path / "file" / "texts")
    found = doctor._texts()
    assert found.value == f"{tmp_path / 'file' / 'texts'} cannot be used: Not a directory"
    assert (found.verdict, found.hint) == (
        "warn",
        "set XDG_CACHE_HOME to a folder that you can write; long texts need the cache.",
    )
