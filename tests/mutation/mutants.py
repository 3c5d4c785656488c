"""Would the tests notice? Each sign, index, bound and number of a module is changed in turn, and its tests are run.

    python tests/mutation/mutants.py                                      all targets, as far as --seconds goes
    python tests/mutation/mutants.py storage.py training/logs.py:22,56      one, and two lines of another

A mutant that no test notices is printed with its place: a test is missing, or the change changes nothing.

Each worker has a copy of the project, in which the compiled kernels stay. Where a kernel is changed, the tests run
without the JIT: there is nothing to compile anew, and an index out of bounds is an error.
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
# Modules of the gradients, the coder and the checkpoints, and the tests that are to notice.
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
)  # kernels, and a module that hands out parts of its arrays
TIME_LIMIT_FACTOR = 5  # a mutant that takes so many times as long as none, and 20 s more, counts as noticed


class Mutant(NamedTuple):
    """A module with one change."""

    module: str
    line: int
    change: str
    source: str


def mutants(module: str, source: str) -> Iterator[Mutant]:
    """Every change of every place that means something when it runs."""
    tree = ast.parse(source)
    idle = {id(node) for part in _idle(tree) for node in ast.walk(part)}
    for place, node in enumerate(ast.walk(tree)):
        for changed in () if id(node) in idle else _changes(node):
            other = copy.deepcopy(tree)
            target = next(own for at, own in enumerate(ast.walk(other)) if at == place)
            before = ast.unparse(target)
            for name, value in changed.items():
                setattr(target, name, value)
            change = f"{before}  ->  {ast.unparse(target)}"
            yield Mutant(module, getattr(node, "lineno", 0), change, ast.unparse(other))


def _idle(tree: ast.AST) -> Iterator[ast.AST]:
    """Annotations, which nothing runs, and the options of `zip` and `dataclass`, which guard against a wrong use."""
    for owner in ast.walk(tree):
        yield from (hint for name in ("annotation", "returns") if (hint := getattr(owner, name, None)) is not None)
        if isinstance(owner, ast.Call) and isinstance(owner.func, ast.Name) and owner.func.id in ("zip", "dataclass"):
            yield from owner.keywords


def _changes(node: ast.AST) -> Iterator[dict[str, object]]:
    """What else a node could be, by its fields."""
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
    """A copy of the project in `folder`, in which one module at a time may be another; to be left as a context."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._forks: dict[bool, subprocess.Popen[str]] = {}
        self._stack = ExitStack()
        for name in ("src", "tests", "benchmarks"):
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "mutation"))
        shutil.copy(ROOT / "pyproject.toml", folder)
        compileall.compile_dir(folder / "src", quiet=1)  # to bytecode, of the modules as they are: no other is kept

    def __enter__(self) -> Project:
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def notices(self, mutant: Mutant, tests: str, limit: float) -> bool:
        """Whether the tests fail, or do not end within `limit` seconds, with a mutant in the project."""
        path = Path("src/recurra") / mutant.module
        (self._folder / path).write_text(mutant.source, encoding="utf-8")
        try:
            return self._fails(mutant.module, tests, limit)
        finally:
            shutil.copy2(ROOT / path, self._folder / path)

    def seconds(self, module: str, tests: str) -> float:
        """How long the tests of a module take as it is, with its kernels compiled; they must pass."""
        for _ in range(2):
            started = time.monotonic()
            if self._fails(module, tests, 3600):
                raise SystemExit(f"the tests fail as it is: {tests}")
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
            own = {
                "PYTHONPATH": str(self._folder / "src"),
                "PYTHONDONTWRITEBYTECODE": "1",
                "HYPOTHESIS_PROFILE": "mutants",
            }
            own |= {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "NUMBA_CACHE_DIR": str(self._folder / "kernels")}
            own |= {} if jit else {"NUMBA_DISABLE_JIT": "1"}
            line, pipe = [sys.executable, str(FORKS)], subprocess.PIPE
            process = subprocess.Popen(line, cwd=self._folder, env=os.environ | own, stdin=pipe, stdout=pipe, text=True)
            self._forks[jit] = self._stack.enter_context(process)
        return self._forks[jit]


def chosen(argument: str) -> list[Mutant]:
    """The mutants of a module, or of some of its lines, in a random order: those tried first are a sample."""
    module, _, lines = argument.partition(":")
    found = list(mutants(module, (ROOT / "src/recurra" / module).read_text(encoding="utf-8")))
    random.Random(0).shuffle(found)  # noqa: S311 - a sample
    return [mutant for mutant in found if not lines or str(mutant.line) in lines.split(",")]


def unnoticed(projects: list[Project], found: list[Mutant], tests: str, until: float) -> tuple[int, list[Mutant]]:
    """Try mutants of one module, beside each other, `until` a time; how many were tried, and those not noticed."""
    left: queue.SimpleQueue[Mutant] = queue.SimpleQueue()
    for mutant in found:
        left.put(mutant)

    def work(project: Project) -> list[tuple[Mutant, bool]]:
        limit, results = TIME_LIMIT_FACTOR * project.seconds(found[0].module, tests) + 20, []
        while time.monotonic() < until:
            try:
                mutant = left.get_nowait()
            except queue.Empty:
                break
            results.append((mutant, project.notices(mutant, tests, limit)))
        return results

    with ThreadPoolExecutor(len(projects)) as pool:
        results = [result for part in pool.map(work, projects) for result in part]
    return len(results), [mutant for mutant, seen in results if not seen]


def main() -> None:
    """Try the mutants, and print those that nothing noticed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("modules", nargs="*", default=list(TARGETS), help="below src/recurra; module:LINE,… for lines")
    parser.add_argument("--seconds", type=float, default=3600, help="for all modules together")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    end = time.monotonic() + options.seconds
    with ExitStack() as stack:
        folders = [stack.enter_context(tempfile.TemporaryDirectory()) for _ in range(options.workers)]
        projects = [stack.enter_context(Project(Path(folder))) for folder in folders]
        for number, argument in enumerate(options.modules):
            module, found = argument.partition(":")[0], chosen(argument)
            share = (end - time.monotonic()) / (len(options.modules) - number)
            tried, survivors = unnoticed(projects, found, TARGETS[module], time.monotonic() + share)
            left = f", {len(found) - tried} not tried" if tried < len(found) else ""
            print(f"{argument}: {tried - len(survivors)} of {tried} noticed{left}", flush=True)
            for mutant in sorted(survivors, key=lambda one: one.line):
                print(f"  line {mutant.line}: {mutant.change}", flush=True)


if __name__ == "__main__":
    main()
