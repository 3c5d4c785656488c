"""The number of usable CPUs, CPU quotas, and the peak memory."""

import os
import platform
import resource
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from recurra.cli.commands import doctor
from recurra.config import TrainingConfig
from recurra.engines.sharding import threads_of
from recurra.system import system_info
from recurra.system.system_info import cpu_quota, peak_memory, usable_cpus


@pytest.fixture(autouse=True)
def no_quota(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Hide the CPU quota of the machine that runs the tests."""
    monkeypatch.setattr(system_info, "CGROUPS", tmp_path / "none")


def test_without_affinity_all_cpus_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 7)
    assert usable_cpus() == 7
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert usable_cpus() == 1


def test_affinity_limits_usable_cpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {1, 3}, raising=False)
    assert usable_cpus() == 2


CGROUPS = [  # the membership, the files of the groups, and the CPU time that they allow, in CPUs
    ("0::/", {"cpu.max": "100000 100000\n"}, 1.0),
    ("0::/", {"cpu.max": "150000 100000\n"}, 1.5),
    ("0::/", {"cpu.max": "max 100000\n"}, None),
    ("0::/a/b", {"a/b/cpu.max": "max 100000", "a/cpu.max": "50000 100000", "cpu.max": "max 100000"}, 0.5),
    ("0::/host/only", {"cpu.max": "200000 100000"}, 2.0),  # in a container that sees its own group as the root
    ("0::/../../x", {"cpu.max": "200000 100000"}, 2.0),
    ("4:cpu,cpuacct:/a", {"cpu,cpuacct/a/cpu.cfs_quota_us": "100000", "cpu,cpuacct/a/cpu.cfs_period_us": "50000"}, 2.0),
    ("1:cpu:/", {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, None),
    ("3:cpuset:/\n1:cpu:/\n0::/", {"cpu/cpu.cfs_quota_us": "300000", "cpu/cpu.cfs_period_us": "100000"}, 3.0),
    ("1:memory:/\n0::/a", {"unified/a/cpu.max": "400000 100000"}, 4.0),
    ("0::/", {"cpu.max": "0 0"}, None),
    ("0::/", {"cpu.max": "nonsense"}, None),
    ("0::/", {"cpu.max": "\udcff"}, None),
    ("nonsense", {"cpu.max": "100000 100000"}, None),
    ("", {}, None),
]


@pytest.mark.parametrize(("membership", "files", "quota"), CGROUPS)
def test_cpu_quota_of_control_groups(
    tmp_path: Path, membership: str, files: dict[str, str], quota: float | None
) -> None:
    (tmp_path / "membership").write_text(membership)
    for name, content in files.items():
        (tmp_path / "root" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "root" / name).write_bytes(content.encode("utf-8", "surrogateescape"))
    assert cpu_quota(tmp_path / "root", tmp_path / "membership") == quota


def test_no_quota_without_control_groups(tmp_path: Path) -> None:
    assert cpu_quota(tmp_path, tmp_path / "absent") is None


@pytest.mark.parametrize(("quota", "cpus"), [("100000", 1), ("150000", 2), ("1000", 1), ("900000", 3), ("max", 3)])
def test_quota_limits_default_number_of_threads(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, quota: str, cpus: int
) -> None:
    (tmp_path / "cpu.max").write_text(f"{quota} 100000")
    (tmp_path / "membership").write_text("0::/")
    monkeypatch.setattr(system_info, "CGROUPS", tmp_path)
    monkeypatch.setattr(system_info, "MEMBERSHIP", tmp_path / "membership")
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1, 2}, raising=False)
    assert usable_cpus() == cpus
    assert threads_of(TrainingConfig(), None) == cpus
    assert f"{cpus} usable core{'s' * (cpus > 1)}," in doctor._processor().value


def test_peak_memory_is_none_without_resource_module(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "resource", None)
    assert peak_memory() is None


@pytest.mark.parametrize(("system", "expected"), [("Linux", 7 * 1024), ("Darwin", 7)])
def test_peak_memory_is_in_bytes_on_every_system(monkeypatch: pytest.MonkeyPatch, system: str, expected: int) -> None:
    monkeypatch.setattr(platform, "system", lambda: system)
    monkeypatch.setattr(resource, "getrusage", lambda _: SimpleNamespace(ru_maxrss=7))
    assert peak_memory() == expected
