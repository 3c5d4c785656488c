"""The mutation program makes the expected mutants, and the tests detect a mutant that breaks a module."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import mutants
import pytest

from recurra.network.cells import CELLS

SOURCE = '''"""A module, 1 + 1."""

LIMIT: int = 3


@dataclass(frozen=True)
def f(x: int, y: list[int]) -> int:
    """Not - this."""
    if x < LIMIT and not x:
        return -x
    if 0 < x <= max(zip(y, y, strict=True)):
        return x not in y
    return x * 2
'''


def test_each_sign_bound_and_number_is_changed_once() -> None:
    changes = [mutant.change for mutant in mutants.mutants("f.py", SOURCE)]
    assert sorted(changes) == sorted(
        [
            "3  ->  4",
            "x < LIMIT  ->  x <= LIMIT",
            "x < LIMIT and (not x)  ->  x < LIMIT or not x",
            "not x  ->  not not x",
            "-x  ->  +x",
            "0 < x <= max(zip(y, y, strict=True))  ->  0 <= x <= max(zip(y, y, strict=True))",
            "0 < x <= max(zip(y, y, strict=True))  ->  0 < x < max(zip(y, y, strict=True))",
            "max(zip(y, y, strict=True))  ->  min(zip(y, y, strict=True))",
            "0  ->  1",
            "x not in y  ->  x in y",
            "x * 2  ->  x / 2",
            "2  ->  3",
        ]
    )


def test_mutants_differ_and_compile() -> None:
    sources = [mutant.source for mutant in mutants.mutants("f.py", SOURCE)]
    assert len(set(sources)) == len(sources)
    for source in sources:
        compile(source, "f.py", "exec")


def test_targets_and_their_tests_exist() -> None:
    for module, tests in mutants.TARGETS.items():
        assert (mutants.ROOT / "src/recurra" / module).is_file()
        assert all((mutants.ROOT / path).exists() for path in tests.split())


def test_every_cell_is_a_target() -> None:
    for name in CELLS:
        assert mutants.TARGETS[f"network/cells/{name}.py"] == mutants.CELL_TESTS
        assert mutants.selected(f"network/cells/{name}.py")


def test_lines_can_be_selected() -> None:
    module = "network/optimizers/clipping.py"
    every = mutants.selected(module)
    lines = sorted({mutant.line for mutant in every})
    assert len(lines) > 2
    assert mutants.selected(f"{module}:{lines[0]},{lines[2]}") == [
        mutant for mutant in every if mutant.line in (lines[0], lines[2])
    ]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("project")


@pytest.fixture(scope="module")
def project(folder: Path) -> Iterator[mutants.Project]:
    with mutants.Project(folder) as copy:
        yield copy


def test_changed_sign_is_detected(project: mutants.Project) -> None:
    module, tests = "network/optimizers/clipping.py", "tests/network/optimizers/test_clipping.py"
    assert project.detects(mutants.selected(module)[0], tests, 120)
    assert project.seconds(module, tests) < 120  # without a mutant the tests pass


@pytest.mark.parametrize(("seconds", "limit"), [(0, 120), (1000, 1)])
def test_mutant_without_end_is_detected(project: mutants.Project, folder: Path, seconds: int, limit: int) -> None:
    test = f"import subprocess\n\ndef test_long():\n    subprocess.run(['sleep', '{seconds}'])\n"
    (folder / "tests/test_long.py").write_text(test)
    source = (mutants.ROOT / "src/recurra/formatting.py").read_text(encoding="utf-8")
    mutant = mutants.Mutant("formatting.py", 1, "", source)
    assert project.detects(mutant, "tests/test_long.py", limit) == (seconds > limit)
