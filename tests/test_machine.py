"""How many CPUs there are to use, and how much memory was."""

import os
import platform
import resource
import sys
from types import SimpleNamespace

import pytest

from recurra.machine import peak_memory, usable_cpus


def test_where_the_system_does_not_say_all_cpus_are_used(monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 7)
    assert usable_cpus() == 7
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert usable_cpus() == 1


def test_a_process_may_be_bound_to_fewer(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {1, 3}, raising=False)
    assert usable_cpus() == 2


def test_a_system_that_does_not_tell_the_memory(monkeypatch):
    monkeypatch.setitem(sys.modules, "resource", None)
    assert peak_memory() is None


@pytest.mark.parametrize(("system", "expected"), [("Linux", 7 * 1024), ("Darwin", 7)])
def test_memory_is_told_in_bytes(monkeypatch, system, expected):
    monkeypatch.setattr(platform, "system", lambda: system)
    monkeypatch.setattr(resource, "getrusage", lambda _: SimpleNamespace(ru_maxrss=7))
    assert peak_memory() == expected
