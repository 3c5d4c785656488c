"""Imports in the order of `IMPORT_ORDER`, no forbidden code, unique names, and package docstrings that are current."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeGuard

import pytest

import recurra
from import_order import IMPORT_ORDER
from recurra.config import ENGINES

ROOT = Path(recurra.__file__).parent
LEVEL = {name: level for level, names in enumerate(IMPORT_ORDER) for name in names}
HEAVY = {"numpy", "numba", "llvmlite", "torch", "matplotlib", "scipy", "onnx", "fastapi", "uvicorn", "starlette"}
MODULES = sorted(ROOT.rglob("*.py"))


def name_of(path: Path) -> str:
    parts = ("recurra", *path.relative_to(ROOT).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


NAMES = {name_of(path) for path in MODULES}


def is_for_types_only(node: ast.AST) -> TypeGuard[ast.If]:
    return isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")


def imports(path: Path, *, types: bool = False) -> set[str]:
    """Return the modules of recurra that `path` imports; imports for type checkers count only with `types`."""
    found: set[str] = set()
    stack: list[ast.AST] = [*ast.parse(path.read_text()).body]
    while stack:
        node = stack.pop()
        if is_for_types_only(node) and not types:
            stack += node.orelse
            continue
        stack += ast.iter_child_nodes(node)
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            submodules = {f"{node.module}.{alias.name}" for alias in node.names} & NAMES
            found |= submodules or {str(node.module)}
    return {name for name in found if name.split(".")[0] == "recurra"}


def package_of(name: str) -> str:
    return name.split(".")[1]


@pytest.mark.parametrize("path", [p for p in MODULES if p != ROOT / "__init__.py"], ids=name_of)
def test_module_imports_only_from_earlier_packages(path: Path) -> None:
    package = package_of(name_of(path))
    for imported in imports(path, types=True) - {"recurra"}:
        assert LEVEL[package_of(imported)] <= LEVEL[package], f"{name_of(path)} imports {imported}"


def test_no_import_cycle() -> None:
    edges = {name_of(path): imports(path) for path in MODULES}
    done: set[str] = set()
    active: list[str] = []

    def visit(name: str) -> None:
        assert name not in active, " -> ".join([*active, name])
        if name not in done:
            active.append(name)
            for imported in sorted(edges.get(name, ())):
                visit(imported)
            done.add(active.pop())

    for name in sorted(edges):
        visit(name)


def test_every_package_is_in_the_import_order() -> None:
    there = {path.stem if path.is_file() else path.name for path in ROOT.iterdir()}
    assert {name for name in there if not name.startswith("__") and name != "py"} == set(LEVEL) - {"__main__"}


@pytest.mark.parametrize("code", ["import recurra", "import recurra.cli; recurra.cli.main(['--help'])"])
def test_import_loads_no_large_package(code: str) -> None:
    report = f"import sys\ntry:\n    {code}\nexcept SystemExit: pass\nprint(*sorted({HEAVY} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", report], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == ""


def test_public_names_are_sorted_and_complete() -> None:
    assert sorted(recurra.__all__) == recurra.__all__
    for name in recurra.__all__:
        assert getattr(recurra, name).__name__ == name
    assert set(recurra.__all__) <= set(dir(recurra))
    with pytest.raises(AttributeError, match="module `recurra` has no attribute `nonsense`"):
        recurra.nonsense  # noqa: B018


RUNS_CODE = {"pickle", "cPickle", "cloudpickle", "dill", "joblib", "marshal", "shelve", "yaml", "code", "runpy", "pty"}
LISTENS = {"asyncio", "http", "socket"}  # for the server, which accepts connections and opens none
OWN_PROCESS = {"recurra.web.live_page": {"subprocess"}}  # the same Python, for the live page
STARTS_PROCESSES = {"subprocess", "multiprocessing", "pexpect"}
NETWORK = {
    "socket", "socketserver", "ssl", "http", "urllib", "urllib3", "requests", "httpx", "aiohttp", "asyncio", "ftplib",
    "smtplib", "poplib", "imaplib", "telnetlib", "xmlrpc", "webbrowser", "huggingface_hub",
}  # fmt: skip
CALLS = {"eval", "exec", "compile", "__import__", "input", "breakpoint"}
METHODS = {
    "os.system", "os.popen", "os.startfile", "torch.load", "joblib.load", "builtins.eval", "builtins.exec",
    "importlib.reload", "ctypes.CDLL", "ctypes.cdll",
}  # fmt: skip
FAMILIES = ("os.exec", "os.spawn", "os.posix_spawn", "os.fork")
ARRAYS = {"np.load", "numpy.load", "np.loadtxt", "np.genfromtxt", "np.fromfile", "np.memmap"}


def offences(source: str) -> Iterator[str]:
    """Yield the names in a source that could run foreign code, start a process, or use a network."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                modules = {alias.name.split(".")[0] for alias in names}
            case ast.ImportFrom(module=module, names=names):
                modules = {(module or "").split(".")[0]}
                name = next((f"{module}.{alias.name}" for alias in names if is_forbidden(f"{module}.{alias.name}")), "")
                yield from [name] if name else []
            case _:
                modules = set()
        yield from modules & (RUNS_CODE | STARTS_PROCESSES | NETWORK)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in CALLS:
            yield node.func.id
        if isinstance(node, ast.Attribute) and is_forbidden(ast.unparse(node)):
            yield ast.unparse(node)
        if isinstance(node, ast.keyword) and node.arg in {"allow_pickle", "shell"}:
            yield node.arg


def is_forbidden(name: str) -> bool:
    return name in METHODS | ARRAYS or name.startswith(FAMILIES)


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_no_foreign_code_process_or_network(path: Path) -> None:
    name = name_of(path)
    listens = LISTENS if package_of(name + ".") in {"serving", "web"} else set()
    assert set(offences(path.read_text())) <= OWN_PROCESS.get(name, listens)


@pytest.mark.parametrize("path", sorted((ROOT / "serving").rglob("*.py")), ids=name_of)
def test_server_opens_no_connections(path: Path) -> None:
    words = path.read_text()
    for call in ("create_connection", "open_connection", "connect(", "connect_ex(", "sendto(", "http.client"):
        assert call not in words, call


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import pickle", "pickle"),
        ("def f():\n    from urllib.request import urlopen", "urllib"),
        ("import os\nos.system(x)", "os.system"),
        ("from os import system", "os.system"),
        ("import os\nos.execvp(x, y)", "os.execvp"),
        ("torch.load(path)", "torch.load"),
        ("np.load(path)", "np.load"),
        ("read(path, allow_pickle=True)", "allow_pickle"),
        ("eval(text)", "eval"),
        ("import subprocess as s", "subprocess"),
    ],
)
def test_offences_finds_forbidden_code(source: str, found: str) -> None:
    assert found in list(offences(source))


def test_only_live_page_starts_a_process() -> None:
    """`tests/cli/test_cli_live.py` checks the command line: the same Python, with a module of recurra."""
    source = (ROOT / "web" / "live_page.py").read_text()
    calls = [ast.unparse(node.func) for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    assert [call for call in calls if call.startswith("subprocess.")] == ["subprocess.Popen"]


def test_import_module_arguments_are_constants() -> None:
    """The arguments of `import_module` never come from a user: they are constants, or names from constants."""
    callers = {name_of(path) for path in MODULES if "import_module(" in path.read_text()}
    assert callers == {"recurra", "recurra.text.named_books", "recurra.network.cells", "recurra.cli.command_line"}


def test_readme_and_package_state_threat_model() -> None:
    root = ROOT.parents[1]
    assert "SECURITY.md" in (root / "README.md").read_text()
    assert '"SECURITY.md"' in (root / "pyproject.toml").read_text()
    words = (root / "SECURITY.md").read_text()
    for reader in ("model file", "text", "run directory", "terminal", "report", "How to report"):
        assert reader in words


# Classes with the same name implement one protocol: each module of the package has one, with the same callers.
PROTOCOLS = {
    "Cache": ("network/cells", "the values of `Equations.forward` of a cell for `Equations.backward`"),
    "State": ("network/cells", "`CellSpec.state`: the arrays that a cell carries from one time step to the next"),
    "Step": ("network/cells", "one time step in the cache of a cell"),
    "Saved": ("engines/kernels", "`CellKernels.saved`: the arrays that the kernels of a cell keep for backward"),
    "Carried": ("engines/kernels", "`CellKernels.carried`: the gradients that backward carries between time steps"),
    "StepBuffers": ("engines/kernels", "`CellKernels.step_buffers`: the workspace of one time step of a cell"),
}


def places(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Return the names with more than one place among (name, place) pairs, each with its places."""
    by_name: dict[str, list[str]] = {}
    for name, place in pairs:
        by_name.setdefault(name, []).append(place)
    return {name: sorted(of_name) for name, of_name in by_name.items() if len(of_name) > 1}


def public_classes(source: str) -> list[str]:
    return [node.name for node in ast.parse(source).body if isinstance(node, ast.ClassDef) and node.name[0] != "_"]


def test_module_names_are_unique() -> None:
    assert places((path.name, name_of(path)) for path in MODULES if path.name != "__init__.py") == {}


def test_public_class_names_are_unique_except_protocols() -> None:
    repeated = places(
        (name, path.relative_to(ROOT).parent.as_posix())
        for path in MODULES
        for name in public_classes(path.read_text())
    )
    unlisted = {name: where for name, where in repeated.items() if {PROTOCOLS.get(name, ("",))[0]} != set(where)}
    assert unlisted == {}
    assert set(PROTOCOLS) == set(repeated), "a protocol with fewer than two classes"


def test_places_finds_repeated_names() -> None:
    assert places([("A", "x"), ("B", "x"), ("A", "y")]) == {"A": ["x", "y"]}
    assert public_classes("class A: pass\nclass _B: pass\ndef f():\n    class C: pass") == ["A"]


def defined_names(path: Path) -> Iterator[str]:
    """Yield the names of functions, classes, constants and methods in a module."""
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.Name(id=name, ctx=ast.Store()) | ast.alias(name=name):
                yield name


def stale_names(docstring: str | None, modules: set[str], others: set[str]) -> list[str]:
    """Return the modules in a package's docstring that do not exist.

    The first column of a table has modules of the package. A word in backticks may also be one of `others`: modules and
    packages elsewhere, and other names of the package.
    """
    assert docstring
    column = {word for line in re.findall(r"^ *(\w+(?:, \w+)*) {2,}\S", docstring, re.M) for word in line.split(", ")}
    quoted = {word.rstrip("/").removesuffix(".py") for word in re.findall(r"`([a-z_][a-z_./]*)`", docstring)}
    return sorted(column - modules) + sorted(quoted - modules - others)


PACKAGES = [path for path in MODULES if path.name == "__init__.py" and path.parent != ROOT]


@pytest.mark.parametrize("path", PACKAGES, ids=name_of)
def test_package_docstring_names_only_existing_modules(path: Path) -> None:
    modules = {child.stem for child in path.parent.iterdir()}
    inner = {name.removeprefix("recurra.") for name in NAMES}
    others = inner | {name.replace(".", "/") for name in inner} | {name.split(".")[-1] for name in inner}
    others |= {f"recurra.{name}" for name in [*inner, *recurra.__all__]}
    others |= {name for module in path.parent.rglob("*.py") for name in defined_names(module)} | set(ENGINES)
    assert stale_names(ast.get_docstring(ast.parse(path.read_text())), modules, others) == []


def test_stale_names_finds_missing_modules() -> None:
    docstring = "lanes, gone    vectors; `output` and `lanes`\n             go on; `runs/old.py`, `--option`, `network`"
    assert stale_names(docstring, {"lanes"}, {"network"}) == ["gone", "output", "runs/old"]
