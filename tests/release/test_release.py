"""The package, its changelog and its release check speak of the same things."""

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
    """release/check.py as a module."""
    spec = importlib.util.spec_from_file_location("release_check", ROOT / "release/check.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_newest_version_of_the_changelog_is_the_packages() -> None:
    versions = re.findall(r"^## ([\d.]+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert versions[0] == recurra.__version__


def test_every_extra_for_users_is_tried_by_the_release_check_and_told_in_the_readme(check: ModuleType) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = set(project["optional-dependencies"])
    assert extras - set(check.USES) == {"all", "torch"}  # the others together, and one that is large
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [extra for extra in extras if f"| `{extra}` |" not in readme] == []


def test_tools_of_developers_are_groups_and_no_published_extras() -> None:
    table = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert set(table["dependency-groups"]) == {"dev", "docs", "release"}
    assert set(table["dependency-groups"]).isdisjoint(table["project"]["optional-dependencies"])
    groups = re.findall(r"--group (\w+)", (ROOT / "Makefile").read_text(encoding="utf-8"))
    assert set(groups) == set(table["dependency-groups"])


def test_every_command_is_used_by_the_release_check(check: ModuleType) -> None:
    used = {words.split()[0] for uses in check.USES.values() for words, _ in uses}
    assert set(COMMANDS) - used <= {"books"}


def test_a_use_that_ends_otherwise_is_told(check: ModuleType) -> None:
    with pytest.raises(SystemExit, match=r"exit code 1, not 0"):
        check.run("false")
    check.run("false", expected=1)


def test_a_tag_names_the_version_and_the_changelog_its_date(check: ModuleType) -> None:
    check.require_tag("v1.2.0", "1.2.0", "# Changelog\n\n## 1.2.0 - 2026-12-01\n\n## 1.1.0 - 2026-11-30\n")
    with pytest.raises(SystemExit, match=r"tag 'v1\.2' does not name the version 1\.2\.0; expected v1\.2\.0"):
        check.require_tag("v1.2", "1.2.0", "")
    with pytest.raises(SystemExit, match=r"begins with '## 1\.2\.0 - unreleased'"):
        check.require_tag("v1.2.0", "1.2.0", "# Changelog\n\n## 1.2.0 - unreleased\n")


def test_other_pythons_are_those_that_run(check: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "python3.99").write_text("#!/bin/sh\necho 3.99\n", encoding="utf-8")
    (tmp_path / "kept").write_text("#!/bin/sh\nexit 127\n", encoding="utf-8")
    for path in tmp_path.iterdir():
        path.chmod(0o755)
    names = [sys.executable, str(tmp_path / "python3.99"), str(tmp_path / "kept"), str(tmp_path / "none")]
    assert check.others(names) == {"3.99": names[1]}
