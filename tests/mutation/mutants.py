"""Mutation testing: change one operator, bound or number of a module at a time, and run the module's tests.

    python tests/mutation/mutants.py                                        all targets, until --seconds have passed
    python tests/mutation/mutants.py io/tensor_file.py runs/logs.py:22,56   one module, and two lines of another

The program prints every mutant that no test detects: a test is missing, or the change has no effect.

Each worker has a copy of the project, with a cache of compiled kernels. If the mutant is a kernel, the tests run
without the JIT: nothing must be compiled again, and an index out of bounds raises an error.
"""

from __future__ import annotations

import argparse
import ast
import compileall
import copy
import os
import queue
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from recurra.config import CELLS

ROOT = Path(__file__).parents[2]
FORKS = Path(__file__).with_name("forks.py")
# The modules of the gradients, the entropy coder and the checkpoints, with the tests that must detect their mutants.
CELL_TESTS = "tests/network/cells tests/network/test_gradient_check.py"
TARGETS = {f"network/cells/{name}.py": CELL_TESTS for name in CELLS} | {
    "network/output.py": "tests/network/test_output.py tests/network/test_gradient_check.py",
    "network/network.py": "tests/network",
    "compression/kernels/range_coder.py": "tests/compression/test_range_coder.py",
    "compression/kernels/contexts.py": "tests/compression/test_contexts.py",
    "compression/kernels/model_decoding.py": "tests/compression/test_model_decoding.py",
    "compression/kernels/online_steps.py": "tests/compression/test_online_learner.py",
    "compression/online_learner.py": "tests/compression/test_online_learner.py",
    "compression/entropy_coding.py": "tests/compression/test_entropy_coding.py tests/compression/test_format.py",
    "compression/container.py": "tests/compression/test_container.py tests/compression/test_model_codec.py",
    "compression/model_codec.py": "tests/compression/test_format.py tests/compression/test_model_codec.py",
    "compression/adaptive_compression.py": "tests/compression/test_adaptive_compression.py",
    "runs/checkpoints.py": "tests/runs/test_checkpoints.py tests/runs/test_recovery.py",
    "runs/recovery.py": "tests/runs/test_recovery.py",
    "runs/checkpoint_schema.py": "tests/runs/test_checkpoint_schema.py",
    "runs/logs.py": "tests/runs/test_logs.py",
    "io/atomic_write.py": "tests/io/test_atomic_write.py tests/io/test_tensor_file.py",
    "io/tensor_file.py": "tests/io/test_tensor_file.py",
}
SWAPS: dict[type[ast.AST], type[ast.AST]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult, ast.Mod: ast.Add,
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.And: ast.Or, ast.Or: ast.And, ast.LShift: ast.RShift, ast.RShift: ast.LShift, ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd, ast.BitXor: ast.BitOr, ast.MatMult: ast.Mult, ast.In: ast.NotIn, ast.NotIn: ast.In,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip
OTHER = {"min": "max", "max": "min"}
WITHOUT_JIT = (
    "engines/kernels/",
    "compression/online_learner.py",
)  # kernels, and a module that returns views of its arrays
TIME_LIMIT_FACTOR = 5  # a mutant is detected if its tests need this many times the usual time, plus 20 s


class Mutant(NamedTuple):
    """A module with one change."""

    module: str
    line: int
    change: str
    source: str


def mutants(module: str, source: str) -> Iterator[Mutant]:
    """Yield every mutant of a module. Annotations and other code without effect at run time are not changed."""
    tree = ast.parse(source)
    excluded = {id(node) for part in _excluded(tree) for node in ast.walk(part)}
    for place, node in enumerate(ast.walk(tree)):
        for changed in () if id(node) in excluded else _changes(node):
            mutated = copy.deepcopy(tree)
            target = next(candidate for number, candidate in enumerate(ast.walk(mutated)) if number == place)
            before = ast.unparse(target)
            for name, value in changed.items():
                setattr(target, name, value)
            change = f"{before}  ->  {ast.unparse(target)}"
            yield Mutant(module, getattr(node, "lineno", 0), change, ast.unparse(mutated))


def _excluded(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield the annotations, and the keyword arguments of `zip` and `dataclass`, which only prevent wrong use."""
    for owner in ast.walk(tree):
        yield from (hint for name in ("annotation", "returns") if (hint := getattr(owner, name, None)) is not None)
        if isinstance(owner, ast.Call) and isinstance(owner.func, ast.Name) and owner.func.id in ("zip", "dataclass"):
            yield from owner.keywords


def _changes(node: ast.AST) -> Iterator[dict[str, object]]:
    """Yield the changes of a node, each as new values of its fields."""
    match node:
        case ast.BinOp() | ast.BoolOp() | ast.AugAssign() if type(node.op) in SWAPS:
            yield {"op": SWAPS[type(node.op)]()}
        case ast.Compare(ops=operators):
            for at, operator in enumerate(operators):
                if type(operator) in SWAPS:
                    yield {"ops": [*operators[:at], SWAPS[type(operator)](), *operators[at + 1 :]]}
        case ast.Call(func=ast.Name(id="min" | "max" as name)):
            yield {"func": ast.Name(OTHER[name])}
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


class Project:
    """A copy of the project in `folder`, in which one module at a time is replaced. Use it in a `with` block."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._forks: dict[bool, subprocess.Popen[str]] = {}
        self._stack = ExitStack()
        for name in ("src", "tests", "benchmarks"):
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "mutation"))
        shutil.copy(ROOT / "pyproject.toml", folder)
        compileall.compile_dir(
            folder / "src", quiet=1
        )  # bytecode of the unchanged modules; none is written for mutants

    def __enter__(self) -> Project:
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def detects(self, mutant: Mutant, tests: str, limit: float) -> bool:
        """Return True if the tests fail with a mutant, or do not end within `limit` seconds."""
        path = Path("src/recurra") / mutant.module
        (self._folder / path).write_text(mutant.source, encoding="utf-8")
        try:
            return self._fails(mutant.module, tests, limit)
        finally:
            shutil.copy2(ROOT / path, self._folder / path)

    def seconds(self, module: str, tests: str) -> float:
        """Return the seconds that a module's tests need without a mutant, with compiled kernels; they must pass."""
        for _ in range(2):
            started = time.monotonic()
            if self._fails(module, tests, 3600):
                raise SystemExit(f"the tests fail without a mutant: {tests}")
        return time.monotonic() - started

    def _fails(self, module: str, tests: str, limit: float) -> bool:
        process = self._process(jit=not module.startswith(WITHOUT_JIT))
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(f"{limit} {tests}\n")
        process.stdin.flush()
        return int(process.stdout.readline()) != 0

    def _process(self, *, jit: bool) -> subprocess.Popen[str]:
        if jit not in self._forks:
            variables = {
                "PYTHONPATH": str(self._folder / "src"),
                "PYTHONDONTWRITEBYTECODE": "1",
                "HYPOTHESIS_PROFILE": "mutants",
            }
            variables |= {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "NUMBA_CACHE_DIR": str(self._folder / "kernels")}
            variables |= {} if jit else {"NUMBA_DISABLE_JIT": "1"}
            command, pipe = [sys.executable, str(FORKS)], subprocess.PIPE
            process = subprocess.Popen(
                command, cwd=self._folder, env=os.environ | variables, stdin=pipe, stdout=pipe, text=True
            )
            self._forks[jit] = self._stack.enter_context(process)
        return self._forks[jit]


def selected(argument: str) -> list[Mutant]:
    """Return the mutants of a module, or of some of its lines, in random order: the first ones are a sample."""
    module, _, lines = argument.partition(":")
    every = list(mutants(module, (ROOT / "src/recurra" / module).read_text(encoding="utf-8")))
    random.Random(0).shuffle(every)  # noqa: S311 - a sample
    return [mutant for mutant in every if not lines or str(mutant.line) in lines.split(",")]


def undetected(projects: list[Project], tried: list[Mutant], tests: str, until: float) -> tuple[int, list[Mutant]]:
    """Try mutants of one module in parallel, `until` a time. Return the number of tried and the undetected mutants."""
    waiting: queue.SimpleQueue[Mutant] = queue.SimpleQueue()
    for mutant in tried:
        waiting.put(mutant)

    def work(project: Project) -> list[tuple[Mutant, bool]]:
        limit, results = TIME_LIMIT_FACTOR * project.seconds(tried[0].module, tests) + 20, []
        while time.monotonic() < until:
            try:
                mutant = waiting.get_nowait()
            except queue.Empty:
                break
            results.append((mutant, project.detects(mutant, tests, limit)))
        return results

    with ThreadPoolExecutor(len(projects)) as pool:
        results = [result for part in pool.map(work, projects) for result in part]
    return len(results), [mutant for mutant, detected in results if not detected]


def main() -> None:
    """Try the mutants, and print those that no test detects."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "modules", nargs="*", default=list(TARGETS), help="module below src/recurra, or MODULE:LINE,… for some lines"
    )
    parser.add_argument("--seconds", type=float, default=3600, help="time limit for all modules together")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    end = time.monotonic() + options.seconds
    with ExitStack() as stack:
        folders = [stack.enter_context(tempfile.TemporaryDirectory()) for _ in range(options.workers)]
        projects = [stack.enter_context(Project(Path(folder))) for folder in folders]
        for number, argument in enumerate(options.modules):
            module, candidates = argument.partition(":")[0], selected(argument)
            share = (end - time.monotonic()) / (len(options.modules) - number)
            tried, survivors = undetected(projects, candidates, TARGETS[module], time.monotonic() + share)
            rest = f", {len(candidates) - tried} not tried" if tried < len(candidates) else ""
            print(f"{argument}: {tried - len(survivors)} of {tried} detected{rest}", flush=True)
            for mutant in sorted(survivors, key=lambda mutant: mutant.line):
                print(f"  line {mutant.line}: {mutant.change}", flush=True)


if __name__ == "__main__":
    main()
