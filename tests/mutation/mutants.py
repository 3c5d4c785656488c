"""Would the tests notice? Each sign, index, bound and number of a module is changed in turn, and its tests are run.

    python tests/mutation/mutants.py                  all targets, as far as --seconds goes
    python tests/mutation/mutants.py network/cells/lstm.py

A mutant that no test notices is printed with its place: a test is missing, or the change changes nothing.
"""

from __future__ import annotations

import argparse
import ast
import copy
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
# Modules of the gradients, the coder and the checkpoints, and the tests that are to notice.
TARGETS = {
    "network/cells/elman.py": "tests/network/cells tests/network/test_gradient_check.py",
    "network/cells/lstm.py": "tests/network/cells tests/network/test_gradient_check.py",
    "network/cells/gru.py": "tests/network/cells tests/network/test_gradient_check.py",
    "network/output.py": "tests/network/test_output.py tests/network/test_gradient_check.py",
    "network/network.py": "tests/network",
    "engines/kernels/range_coder.py": "tests/engines/test_range_coder.py tests/inference/test_compression.py",
    "engines/kernels/contexts.py": "tests/engines/test_contexts.py tests/inference/test_golden.py",
    "inference/coding.py": "tests/inference/test_compression.py tests/inference/test_adaptive_compression.py",
    "inference/compression.py": "tests/inference/test_compression.py tests/inference/test_golden.py",
    "inference/container.py": "tests/inference/test_compression.py tests/inference/test_adaptive_compression.py",
    "training/checkpoint.py": "tests/training/test_checkpoint.py tests/training/test_recovery.py",
    "training/recovery.py": "tests/training/test_recovery.py tests/training/test_checkpoint.py",
    "storage.py": "tests/test_storage.py tests/test_tensor_file.py",
    "tensor_file.py": "tests/test_tensor_file.py tests/training/test_checkpoint.py",
}
SWAPS: dict[type[ast.AST], type[ast.AST]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult, ast.Mod: ast.Add,
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.And: ast.Or, ast.Or: ast.And, ast.LShift: ast.RShift, ast.RShift: ast.LShift, ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd, ast.BitXor: ast.BitOr, ast.MatMult: ast.Mult, ast.In: ast.NotIn, ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}  # fmt: skip
PATIENCE = 6  # a mutant that takes so many times as long as no mutant has been noticed: it goes round for ever


class Mutant(NamedTuple):
    """A module with one change."""

    module: str
    line: int
    change: str
    source: str


def mutants(module: str, source: str) -> Iterator[Mutant]:
    """Every change of every place, annotations and docstrings left out."""
    tree = ast.parse(source)
    for place, node in enumerate(ast.walk(tree)):
        for changed in _changes(node):
            other = copy.deepcopy(tree)
            target = next(own for at, own in enumerate(ast.walk(other)) if at == place)
            before = ast.unparse(target)
            for name, value in changed.items():
                setattr(target, name, value)
            change = f"{before}  ->  {ast.unparse(target)}"
            if not _is_for_types(tree, node):
                yield Mutant(module, getattr(node, "lineno", 0), change, ast.unparse(other))


def _changes(node: ast.AST) -> Iterator[dict[str, object]]:
    """What else a node could be, by its fields."""
    match node:
        case ast.BinOp() | ast.BoolOp() | ast.AugAssign() if type(node.op) in SWAPS:
            yield {"op": SWAPS[type(node.op)]()}
        case ast.Compare(ops=[operator]) if type(operator) in SWAPS:
            yield {"ops": [SWAPS[type(operator)]()]}
        case ast.UnaryOp(op=ast.USub()):
            yield {"op": ast.UAdd()}
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield {"operand": ast.UnaryOp(ast.Not(), operand)}
        case ast.Constant(value=bool(value)):
            yield {"value": not value}
        case ast.Constant(value=int(value)):
            yield {"value": value + 1}
        case ast.Constant(value=float(value)):
            yield {"value": 2 * value + 1}


def _is_for_types(tree: ast.AST, node: ast.AST) -> bool:
    """Whether the node stands in an annotation, which nothing runs."""
    for owner in ast.walk(tree):
        hints = [getattr(owner, name, None) for name in ("annotation", "returns")]
        if any(node in ast.walk(hint) for hint in hints if hint is not None):
            return True
    return False


def noticed(mutant: Mutant | None, tests: str, limit: float) -> bool:
    """Whether the tests fail, or do not end, on a copy of the project, with a mutant in it."""
    with tempfile.TemporaryDirectory() as room:
        tree = Path(room)
        for name in ("src", "tests", "benchmarks"):
            shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__", "mutation"))
        shutil.copy(ROOT / "pyproject.toml", tree)
        if mutant is not None:
            (tree / "src/recurra" / mutant.module).write_text(mutant.source, encoding="utf-8")
        return _fails(tree, tests, limit)


def _fails(tree: Path, tests: str, limit: float) -> bool:
    environment = os.environ | {"PYTHONPATH": str(tree / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
    line = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", *tests.split()]
    try:
        done = subprocess.run(line, cwd=tree, env=environment, capture_output=True, timeout=limit, check=False)
    except subprocess.TimeoutExpired:
        return True
    return done.returncode != 0


def seconds_without(tests: str) -> float:
    """How long the tests take on the module as it is, with its kernels compiled; they must pass."""
    for _ in range(2):
        started = time.monotonic()
        if noticed(None, tests, 3600):
            raise SystemExit(f"the tests fail as it is: {tests}")
    return time.monotonic() - started


def main() -> None:
    """Try the mutants, and print those that nothing noticed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("modules", nargs="*", default=list(TARGETS), help="below src/recurra")
    parser.add_argument("--seconds", type=float, default=3600, help="for all modules together")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    share = options.seconds / len(options.modules)
    for module in options.modules:
        tests, started = TARGETS[module], time.monotonic()
        found = list(mutants(module, (ROOT / "src/recurra" / module).read_text(encoding="utf-8")))
        random.Random(0).shuffle(found)  # noqa: S311 - a sample
        limit = PATIENCE * seconds_without(tests) + 60
        tried, survivors = 0, []
        with ThreadPoolExecutor(options.workers) as pool:
            while found and time.monotonic() - started < share:
                batch = [found.pop() for _ in range(min(options.workers, len(found)))]
                results = pool.map(lambda mutant, t=tests, s=limit: noticed(mutant, t, s), batch)
                tried += len(batch)
                survivors += [mutant for mutant, seen in zip(batch, results, strict=True) if not seen]
        left = f", {len(found)} not tried" if found else ""
        print(f"{module}: {tried - len(survivors)} of {tried} noticed{left}", flush=True)
        for mutant in sorted(survivors, key=lambda one: one.line):
            print(f"  line {mutant.line}: {mutant.change}", flush=True)


if __name__ == "__main__":
    main()
