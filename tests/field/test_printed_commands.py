"""Printed commands run when pasted, whether or not PATH has `recurra`."""

import re
import shlex
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from recurra.cli import failures, main
from recurra.errors import UsageError
from recurra.system import executable
from recurra.system.executable import installer, program, runnable

SCRIPT = Path(sysconfig.get_path("scripts")) / "recurra"


@pytest.fixture(autouse=True)
def as_a_module(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["-m"])


def test_the_name_alone_in_an_active_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"/nowhere:{SCRIPT.parent}")
    assert program() == "recurra"


def test_the_name_of_a_link_to_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "recurra").symlink_to(SCRIPT)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert program() == "recurra"


@pytest.mark.parametrize("other", [False, True])
def test_the_path_where_another_or_no_recurra_is_found(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, other: bool
) -> None:
    if other:
        (tmp_path / "recurra").write_text("#!/bin/sh\n")
        (tmp_path / "recurra").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert program() == str(SCRIPT)
    done = subprocess.run([*shlex.split(program()), "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("recurra ")


def test_path_below_working_directory_is_relative(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    folder = tmp_path / "my env" / "bin"
    folder.mkdir(parents=True)
    (folder / "recurra").touch()
    monkeypatch.setattr(sys, "argv", [str(folder / "recurra")])
    monkeypatch.chdir(tmp_path)
    assert program() == "'my env/bin/recurra'"
    monkeypatch.chdir(folder)
    assert program() == "./recurra"


def test_without_a_script_the_module_is_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(executable, "_scripts", list)
    assert program() == f"{sys.executable} -m recurra"


def test_commands_in_hints(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert runnable("see `recurra books`; recurra is a name") == f"see `{SCRIPT} books`; recurra is a name"
    failures.report_error(UsageError("what?", hint="see `recurra train --help`."))
    assert capsys.readouterr().err.endswith(f"hint: see `{SCRIPT} train --help`.\n")


def test_packages_are_installed_into_this_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(SCRIPT.parent))
    assert installer() == "pip install"
    (tmp_path / "pip").write_text("#!/bin/sh\n")
    (tmp_path / "pip").chmod(0o755)
    for elsewhere in (str(tmp_path), str(tmp_path / "empty")):
        monkeypatch.setenv("PATH", elsewhere)
        assert installer() == f"{shlex.quote(sys.executable)} -m pip install"
        assert runnable("pip install 'recurra[serve]'") == f"{installer()} 'recurra[serve]'"


def test_an_environment_below_the_working_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    monkeypatch.setattr(sys, "executable", str(tmp_path / ".venv/bin/python"))
    monkeypatch.chdir(tmp_path)
    assert installer() == ".venv/bin/python -m pip install"


def test_every_hint_that_installs_a_package(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    for words in (["books"], ["serve"], ["doctor"]):
        main(words)
    out, err = capsys.readouterr()
    hints = re.findall(r"^ *hint: (.*pip install.*)$", out + err, re.MULTILINE)
    assert len(hints) == 5  # of the books, of the server, of PyTorch, the default book and the extras of `doctor`
    assert all(hint.startswith(f"{installer()} 'recurra[") for hint in hints)
