"""The cache of compiled kernels if it is damaged, not writable or owned by another user."""

import logging
import os
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recurra.cli.commands import doctor
from recurra.compression.kernels import range_coder
from recurra.engines.kernels import compilation, disk_cache
from recurra.engines.kernels.disk_cache import DiskCache

STATE = np.array([2**50 + 12345, 2**60, 2], np.uint64)
KERNEL: Any = range_coder.point
EXPECTED = 2**50 // 2**36

pytestmark = pytest.mark.skipif(not hasattr(KERNEL, "py_func"), reason="the JIT is switched off")


def use(cache: DiskCache, monkeypatch: pytest.MonkeyPatch) -> None:
    """Store kernels in `cache`, as a new process would."""
    monkeypatch.setattr(compilation, "kernel_cache", lambda: cache)


def hits(function: Callable[..., Any] = KERNEL.py_func) -> int:
    """Call the kernel as in a new process; return the number of cache hits."""
    kernel: Any = compilation.strict(function)
    assert kernel(STATE) == EXPECTED
    return sum(kernel.stats.cache_hits.values())


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a cache that contains the kernel."""
    cache = DiskCache(tmp_path / "kernels")
    use(cache, monkeypatch)
    assert [hits(), hits()] == [0, 1]
    use(DiskCache(cache.folder), monkeypatch)
    return cache.folder


@pytest.mark.parametrize("damage", ["cut short", "empty", "a bit", "not ours", "longer"])
def test_damaged_cache_file_is_compiled_again(folder: Path, damage: str) -> None:
    (path,) = folder.iterdir()
    whole = path.read_bytes()
    path.write_bytes(
        {
            "cut short": whole[:-1],
            "empty": b"",
            "a bit": whole[:-9] + bytes([whole[-9] ^ 1]) + whole[-8:],
            "not ours": b"\x80\x04K\x01.",
            "longer": whole + b"\0",
        }[damage]
    )
    assert DiskCache(folder).examine().damaged == 1
    with pytest.warns(UserWarning, match=r"`.*point.*` is damaged; it is compiled again\. hint: .* rm -r ") as said:
        assert hits() == 0
    assert len(said) == 1
    assert DiskCache(folder).examine() == (1, len(path.read_bytes()), 0)
    assert hits() == 1


def test_missing_cache_file_is_written_again(folder: Path) -> None:
    (path,) = folder.iterdir()
    path.unlink()
    assert [hits(), hits()] == [0, 1]


@pytest.mark.parametrize("error", ["No space left on device", "File too large", "Read-only file system"])
def test_unwritable_cache_is_named_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: str) -> None:
    def fail(*_: object) -> None:
        raise OSError(0, error)

    folder = tmp_path / "kernels"
    use(DiskCache(folder), monkeypatch)
    monkeypatch.setattr(Path, "write_bytes", fail)
    with pytest.warns(UserWarning, match=f"`{folder}`, cannot be used: {error}.*hint: .* rm -r {folder}") as said:
        assert [hits(), hits()] == [0, 0]
    assert len(said) == 1
    assert list(folder.iterdir()) == []


def test_folder_that_cannot_be_created_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    use(DiskCache(tmp_path / "file" / "kernels"), monkeypatch)
    with pytest.warns(UserWarning, match=r"cannot be used: Not a directory\. Each process compiles"):
        assert hits() == 0


def test_code_is_loaded_from_a_folder_that_cannot_be_written(folder: Path) -> None:
    folder.chmod(0o500)
    assert hits() == 1


@pytest.mark.skipif(os.name != "posix", reason="folders have no mode here")
def test_folder_writable_by_others_is_not_trusted(folder: Path) -> None:
    folder.chmod(0o777)
    with pytest.warns(UserWarning, match="cannot be used: other users can write in it"):
        assert hits() == 0


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="files have no owner here")
def test_code_of_another_user_is_not_loaded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    owner = folder.stat().st_uid
    monkeypatch.setattr(disk_cache, "is_foreign", lambda _: True)
    with pytest.warns(UserWarning, match=f"cannot be used: user {owner} owns it"):
        assert hits() == 0


def test_named_pipe_in_cache_folder_does_not_block(folder: Path) -> None:
    (path,) = folder.iterdir()
    path.unlink()
    os.mkfifo(path)
    with pytest.warns(UserWarning, match="cannot be used: it is not a regular file"):
        assert hits() == 0
    assert path.is_file()


def test_another_clone_of_the_same_sources_compiles_nothing(folder: Path) -> None:
    code = KERNEL.py_func.__code__.replace(co_filename="/elsewhere/range_coder.py", co_firstlineno=1)
    moved = types.FunctionType(code, KERNEL.py_func.__globals__)
    moved.__module__ = KERNEL.py_func.__module__
    assert hits(moved) == 1


def test_code_of_other_sources_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The name of the cache folder does not depend on such sources."""
    use(DiskCache(tmp_path / "kernels"), monkeypatch)

    @compilation.strict
    def double(x: int) -> int:
        return x + x

    assert double(2) == 4
    assert not (tmp_path / "kernels").exists()


def test_compilation_is_announced_when_it_happens(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(logging.getLogger("recurra"), "propagate", True)
    compilation.announce.cache_clear()
    with caplog.at_level(logging.INFO, "recurra"):
        assert hits() == 1
        assert caplog.messages == []
        for path in folder.iterdir():
            path.unlink()
        assert hits() == 0
        assert caplog.messages == [compilation.COMPILING]


def test_the_folder_of_the_user_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    disk_cache.kernel_cache.cache_clear()
    try:
        assert disk_cache.kernel_cache().folder == tmp_path / "recurra" / disk_cache.source_hash()
    finally:
        disk_cache.kernel_cache.cache_clear()


def test_doctor_counts_what_is_found(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = DiskCache(folder)
    monkeypatch.setattr(disk_cache, "kernel_cache", lambda: cache)
    assert doctor._cache().value == f"{folder}, 1 file, 0.0 MiB"
    (path,) = folder.iterdir()
    path.write_bytes(b"")
    assert doctor._cache()[1:3] == (f"{folder}, 1 file, 0.0 MiB, 1 damaged", doctor.WARN)
    path.unlink()
    assert doctor._cache().value == f"{folder}, empty; the first training compiles the kernels"
    folder.rmdir()
    folder.touch()
    assert doctor._cache()[1:] == (
        f"{folder} cannot be used: File exists",
        doctor.WARN,
        f"set NUMBA_CACHE_DIR to a folder that you can write, or remove this one: rm -r {folder}",
    )
