"""The package, its changelog, its README and its release check agree on versions, extras and commands."""

from __future__ import annotations

import importlib.util
import re
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

import recurra
from recurra.cli.command_line import COMMANDS

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def check() -> ModuleType:
    """The module release/check.py."""
    spec = importlib.util.spec_from_file_location("release_check", ROOT / "release/check.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_changelog_begins_with_the_version_of_the_package() -> None:
    versions = re.findall(r"^## ([\d.]+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert versions[0] == recurra.__version__


def test_release_check_and_readme_have_every_extra(check: ModuleType) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = set(project["optional-dependencies"])
    assert extras - set(check.USES) == {"all", "torch"}  # the others together, and one that is large
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [extra for extra in extras if f"| `{extra}` |" not in readme] == []


def test_development_tools_are_dependency_groups() -> None:
    table = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert set(table["dependency-groups"]) == {"dev", "docs", "release"}
    assert set(table["dependency-groups"]).isdisjoint(table["project"]["optional-dependencies"])
    groups = re.findall(r"--group (\w+)", (ROOT / "Makefile").read_text(encoding="utf-8"))
    assert set(groups) == set(table["dependency-groups"])


def test_release_check_runs_every_command(check: ModuleType) -> None:
    used = {words.split()[0] for uses in check.USES.values() for words, _ in uses}
    assert set(COMMANDS) - used <= {"books"}


def test_unexpected_exit_code_stops_the_release_check(check: ModuleType) -> None:
    with pytest.raises(SystemExit, match=r"exit code 1, not 0"):
        check.run("false")
    check.run("false", expected=1)


def test_tag_needs_the_version_and_a_release_date(check: ModuleType) -> None:
    check.require_tag("v1.2.0", "1.2.0", "# Changelog\n\n## 1.2.0 - 2026-12-01\n\n## 1.1.0 - 2026-11-30\n")
    with pytest.raises(SystemExit, match=r"tag 'v1\.2' does not name the version 1\.2\.0; expected v1\.2\.0"):
        check.require_tag("v1.2", "1.2.0", "")
    with pytest.raises(SystemExit, match=r"begins with '## 1\.2\.0 - unreleased'"):
        check.require_tag("v1.2.0", "1.2.0", "# Changelog\n\n## 1.2.0 - unreleased\n")


def test_other_pythons_are_the_installed_ones(check: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "python3.99").write_text("#!/bin/sh\necho 3.99\n", encoding="utf-8")
    (tmp_path / "kept").write_text("#!/bin/sh\nexit 127\n", encoding="utf-8")
    for path in tmp_path.iterdir():
        path.chmod(0o755)
    names = [sys.executable, str(tmp_path / "python3.99"), str(tmp_path / "kept"), str(tmp_path / "none")]
    assert check.others(names) == {"3.99": names[1]}
