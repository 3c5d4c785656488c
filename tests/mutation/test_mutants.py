"""The mutants are those that they should be, and one that breaks a module is noticed."""

from __future__ import annotations

import mutants

SOURCE = '''"""A module, 1 + 1."""

LIMIT: int = 3


def f(x: int) -> int:
    """Not - this."""
    if x < LIMIT and not x:
        return -x
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
            "x * 2  ->  x / 2",
            "2  ->  3",
        ]
    )


def test_every_mutant_is_another_module() -> None:
    sources = [mutant.source for mutant in mutants.mutants("f.py", SOURCE)]
    assert len(set(sources)) == len(sources)
    for source in sources:
        compile(source, "f.py", "exec")


def test_targets_and_their_tests_are_there() -> None:
    for module, tests in mutants.TARGETS.items():
        assert (mutants.ROOT / "src/recurra" / module).is_file()
        assert all((mutants.ROOT / path).exists() for path in tests.split())


def test_a_sign_that_is_changed_is_noticed() -> None:
    module = "network/optimizers/clipping.py"
    source = (mutants.ROOT / "src/recurra" / module).read_text(encoding="utf-8")
    first = next(mutants.mutants(module, source))
    assert mutants.noticed(first, "tests/network/optimizers/test_clipping.py", 120)
    assert not mutants.noticed(None, "tests/network/optimizers/test_clipping.py", 120)
