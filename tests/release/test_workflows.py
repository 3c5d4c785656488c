"""The files for GitHub and for other tools: they are valid, and every command, path and version in them exists."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

import recurra
from recurra.cli import main
from recurra.cli.command_line import COMMANDS

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
YAML = [
    *sorted((ROOT / ".github").rglob("*.yml")),
    ROOT / ".pre-commit-config.yaml",
    ROOT / "CITATION.cff",
]
PROGRAMS = ("bash", "make", "python", "recurra", "cmp", "sudo", ".venv/bin/python")
POSIX = re.compile(
    r"^\s*(?:import|from) (?:fcntl|pty|pwd|grp|resource|termios|calling|killing|ranks_talk)\b", re.MULTILINE
)
PINNED = re.compile(r"[\w.-]+/[\w.-]+@(?:v\d+|release/v\d+|[0-9a-f]{40})")


def read(path: Path) -> Any:
    """Return the content of a YAML file with all scalars as strings, so that `on` and 3.10 keep their spelling."""
    return yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)  # noqa: S506 - it makes strings only


def steps(workflow: Path) -> Iterator[dict[str, Any]]:
    """Yield every step of every job."""
    for job in read(workflow)["jobs"].values():
        yield from job["steps"]


def lines(workflow: Path) -> Iterator[str]:
    """Yield every command of a workflow, without line breaks."""
    for step in steps(workflow):
        if "run" in step:
            yield from step["run"].replace("\\\n", " ").strip().splitlines()


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    """The tables of pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", YAML, ids=lambda path: path.name)
def test_every_workflow_is_valid_yaml(path: Path) -> None:
    assert isinstance(read(path), dict)


def test_tested_pythons_equal_the_classifiers(project: dict[str, Any]) -> None:
    prefix = "Programming Language :: Python :: 3."
    classifiers = [
        line.removeprefix(prefix[:-2]) for line in project["project"]["classifiers"] if line.startswith(prefix)
    ]
    tested = read(ROOT / ".github/workflows/ci.yml")["jobs"]["test"]["strategy"]["matrix"]["python"]
    assert tested == classifiers
    assert project["project"]["requires-python"] == f">={tested[0]}"
    others = {
        step["with"]["python-version"]
        for path in WORKFLOWS
        for step in steps(path)
        if "python-version" in step.get("with", {})
    }
    assert others <= {*tested, "${{ matrix.python }}"}


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflows_only_read_and_use_pinned_actions(path: Path) -> None:
    workflow = read(path)
    assert workflow["permissions"] == {"contents": "read"}
    assert "concurrency" in workflow
    more = {name: job["permissions"] for name, job in workflow["jobs"].items() if "permissions" in job}
    assert more == ({"publish": {"id-token": "write"}} if path.name == "release.yml" else {})
    assert all("timeout-minutes" in job for job in workflow["jobs"].values())
    used = [step["uses"] for step in steps(path) if "uses" in step]
    assert [action for action in used if not PINNED.fullmatch(action)] == []
    scripts = [step["run"] for step in steps(path) if "run" in step]
    assert not any("${{" in script for script in scripts), "an expression in a script can be an injection; use `env`"


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_every_command_of_a_workflow_exists(path: Path) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    found = list(lines(path))
    assert found
    for line in found:
        words = shlex.split(line, comments=True)
        assert words[0] in PROGRAMS, line
        if words[0] == "make":
            assert all(re.search(rf"^{re.escape(target)}:", makefile, re.MULTILINE) for target in words[1:]), line
        if words[0] == "recurra":
            assert words[1] in COMMANDS, line
        names = [word for word in words[1:] if re.match(r"(?:tests|release|docs)/|\.ci/", word)]
        assert all((ROOT / name).exists() for name in names), line


def test_smoke_test_needs_no_posix_command() -> None:
    (line,) = (line for line in lines(ROOT / ".github/workflows/ci.yml") if "-m pytest" in line)
    paths = [ROOT / word for word in shlex.split(line) if word.startswith("tests/")]
    files = [file for path in paths for file in (path.rglob("*.py") if path.is_dir() else [path])]
    assert len(files) > len(paths)
    assert [str(file) for file in files if POSIX.search(file.read_text(encoding="utf-8"))] == []


def test_commands_of_the_smoke_test_succeed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (script,) = (
        step["run"] for step in steps(ROOT / ".github/workflows/ci.yml") if step.get("name", "").startswith("Train")
    )
    for line in script.strip().splitlines():
        match shlex.split(line):
            case ["python", *words]:
                subprocess.run([sys.executable, *words], check=True)
            case ["recurra", *words]:
                assert main(words) == 0, line
            case ["cmp", first, second]:
                assert Path(first).read_bytes() == Path(second).read_bytes()
            case _:
                pytest.fail(f"unexpected command: {line}")


def test_release_uses_trusted_publishing() -> None:
    text = (ROOT / ".github/workflows/release.yml").read_text(encoding="utf-8")
    assert "secrets." not in text
    publish = read(ROOT / ".github/workflows/release.yml")["jobs"]["publish"]
    assert publish["environment"]["name"] == "pypi"
    assert publish["needs"] == "build"
    assert publish["steps"][-1]["uses"].startswith("pypa/gh-action-pypi-publish@")


def test_pre_commit_hooks_are_development_tools(project: dict[str, Any]) -> None:
    (local,) = read(ROOT / ".pre-commit-config.yaml")["repos"]
    tools = {re.split(r"[<>=]", needed)[0] for needed in project["dependency-groups"]["dev"]}
    for hook in local["hooks"]:
        program, *arguments = hook["entry"].split()
        name = Path(program).name
        assert program.startswith(".venv/bin/")
        assert name in tools or (name == "python" and (ROOT / arguments[0]).is_file()), hook["entry"]


def test_bug_form_requests_the_output_of_doctor() -> None:
    fields = [field for field in read(ROOT / ".github/ISSUE_TEMPLATE/bug.yml")["body"] if "id" in field]
    (doctor,) = (field for field in fields if "`recurra doctor`" in field["attributes"]["label"])
    assert doctor["validations"]["required"] == "true"
    assert len({field["id"] for field in fields}) == len(fields)


def test_citation_and_urls_match_the_package(project: dict[str, Any]) -> None:
    citation = read(ROOT / "CITATION.cff")
    assert citation["version"] == recurra.__version__
    assert citation["license"] == project["project"]["license"]
    repository = project["project"]["urls"]["Repository"]
    assert citation["repository-code"] == repository
    assert all(address.startswith(repository) for address in project["project"]["urls"].values())
    (contact,) = read(ROOT / ".github/ISSUE_TEMPLATE/config.yml")["contact_links"]
    assert contact["url"].startswith(repository)
