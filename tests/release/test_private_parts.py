"""The private parts of other libraries that recurra uses, and the upper bounds of these libraries' versions.

Each part is named with the module of recurra that depends on it. If a test here fails after an upgrade, adapt that
module, then raise the library's upper bound in pyproject.toml.
"""

from __future__ import annotations

import ast
import importlib
import re
import tomllib
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "recurra"
INTERNAL = re.compile(r"(.*\.)?_[a-z]\w*|numba\.core\b.*|numba\.extending|uvicorn\.protocols\b.*|rich\.cells")


class Part(NamedTuple):
    """A class or a module of another library, and the names in it that a module of recurra uses."""

    user: str  # the module of recurra, from src/recurra
    module: str
    owner: str  # a class in `module`; "" for the module itself
    names: str  # attributes, those that `__init__` sets included


PARTS = [
    Part("engines/kernels/compilation.py", "numba.core", "", "serialize"),
    Part("engines/kernels/compilation.py", "numba.core.serialize", "", "dumps loads"),
    Part("engines/kernels/compilation.py", "numba.core.caching", "NullCache", "cache_path load_overload save_overload"),
    Part("engines/kernels/compilation.py", "numba.core.compiler", "CompileResult", "_rebuild _reduce"),
    Part("engines/kernels/compilation.py", "numba.core.dispatcher", "Dispatcher", "_cache stats"),
    Part("engines/kernels/compilation.py", "numba.core.codegen", "CPUCodeLibrary", "codegen has_dynamic_globals"),
    Part("engines/kernels/compilation.py", "numba.core.codegen", "JITCPUCodegen", "magic_tuple"),
    Part(
        "engines/kernels/compilation.py",
        "numba.core.codegen",
        "JITCodeLibrary",
        "get_pointer_to_function _ensure_finalized _finalize_dynamic_globals _finalize_final_module _finalized "
        "_optimize_final_module _verify_declare_only_symbols",
    ),
    Part("engines/kernels/compilation.py", "numba._dynfunc", "", "make_function"),
    Part("engines/kernels/compilation.py", "numba.core.compiler", "CompilerBase", "define_pipelines state"),
    Part("engines/kernels/compilation.py", "numba.core.compiler", "DefaultPassBuilder", "define_nopython_pipeline"),
    Part("engines/kernels/compilation.py", "numba.core.compiler", "_LowerResult", "cfunc env fndesc"),
    Part(
        "engines/kernels/compilation.py",
        "numba.core.compiler",
        "Flags",
        "no_cfunc_wrapper no_compile no_cpython_wrapper",
    ),
    Part("engines/kernels/compilation.py", "numba.core.compiler_machinery", "", "register_pass"),
    Part("engines/kernels/compilation.py", "numba.core.compiler_machinery", "PassManager", "finalize passes"),
    Part("engines/kernels/compilation.py", "numba.core.cpu", "CPUContext", "codegen insert_user_function"),
    Part("engines/kernels/compilation.py", "numba.core.dispatcher", "Dispatcher", "get_call_template get_overload"),
    Part("engines/kernels/compilation.py", "numba.core.funcdesc", "FunctionDescriptor", "lookup_module qualname"),
    Part("engines/kernels/compilation.py", "numba.core.typed_passes", "NativeLowering", "run_pass"),
    Part("engines/kernels/lowering.py", "numba.core", "", "cgutils types"),
    Part("engines/kernels/lowering.py", "numba.core.cgutils", "", "get_or_insert_function unpack_tuple"),
    Part("engines/kernels/lowering.py", "numba.core.types", "", "Any Float Type VarArg float32 intp void"),
    Part("engines/kernels/lowering.py", "numba.core.datamodel", "", "models"),
    Part("engines/kernels/lowering.py", "numba.core.datamodel.models", "", "PrimitiveModel"),
    Part(
        "engines/kernels/lowering.py",
        "numba.core.base",
        "BaseContext",
        "cast get_dummy_value make_array typing_context",
    ),
    Part("engines/kernels/processor.py", "numba.core.registry", "", "cpu_target"),
    Part("engines/kernels/processor.py", "numba.core.registry", "CPUTarget", "target_context"),
    Part("engines/kernels/processor.py", "numba.core.cpu", "CPUContext", "codegen"),
    Part("engines/kernels/lowering.py", "numba.extending", "", "lower_builtin register_model type_callable"),
    Part("engines/kernels/cell_registry.py", "numba.extending", "", "overload"),
    Part("engines/kernels/cell_registry.py", "numba.core.types", "NamedUniTuple", "instance_class"),
    Part("engines/kernels/cell_registry.py", "numba.core.types", "NamedTuple", "instance_class"),
    Part("cli/terminal.py", "rich.cells", "", "cell_len"),
    Part("cli/surprise_view.py", "rich.cells", "", "cell_len"),
    Part("cli/command_line.py", "cyclopts", "App", "assemble_argument_collection parse_args parse_commands"),
    Part("cli/parser_errors.py", "cyclopts", "CoercionError", "msg token"),
    Part("cli/parser_errors.py", "cyclopts", "MissingArgumentError", "argument keyword"),
    Part("cli/parser_errors.py", "cyclopts", "RepeatArgumentError", "token"),
    Part("cli/parser_errors.py", "cyclopts", "UnknownCommandError", "app unused_tokens"),
    Part("cli/parser_errors.py", "cyclopts", "UnknownOptionError", "argument_collection token"),
    Part("cli/parser_errors.py", "cyclopts", "UnusedCliTokensError", "unused_tokens"),
    Part(
        "serving/connection.py",
        "uvicorn.protocols.http.h11_impl",
        "H11Protocol",
        "conn connection_lost connection_made connections cycle data_received loop on_response_complete pause_writing "
        "resume_writing shutdown timeout_keep_alive_task transport",
    ),
    Part(
        "serving/connection.py",
        "uvicorn.protocols.http.h11_impl",
        "RequestResponseCycle",
        "response_complete response_started",
    ),
    Part(
        "serving/server.py",
        "uvicorn",
        "Server",
        "capture_signals force_exit handle_exit should_exit shutdown startup",
    ),
]


def found_in(owner: Any, name: str) -> bool:
    """Return True if `owner` has `name` as an attribute, as a declared field, or as a field set in `__init__`."""
    if hasattr(owner, name):
        return True
    kinds = () if isinstance(owner, ModuleType) else owner.__mro__
    return any(
        name in vars(kind).get("__annotations__", ()) or name in getattr(code, "co_names", ())
        for kind in kinds
        for code in [getattr(vars(kind).get("__init__"), "__code__", None)]
    )


@pytest.mark.parametrize("part", PARTS, ids=lambda part: f"{part.user}:{part.module}.{part.owner}")
def test_the_installed_library_has_every_part(part: Part) -> None:
    library = part.module.partition(".")[0]
    module = importlib.import_module(part.module)
    owner = getattr(module, part.owner) if part.owner else module
    absent = [name for name in part.names.split() if not found_in(owner, name)]
    assert absent == [], (
        f"{library} {version(library)}: {part.module} {part.owner} has no {', '.join(absent)}, "
        f"which src/recurra/{part.user} needs. Adapt that module, then raise the upper bound in pyproject.toml."
    )


def test_missing_part_is_reported() -> None:
    class Changed:
        declared: int

        def __init__(self) -> None:
            self.kept = 1

    assert [name for name in ("declared", "kept", "gone") if not found_in(Changed, name)] == ["gone"]
    assert not found_in(ast, "gone")


def test_libraries_with_private_parts_have_upper_bounds() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = [*project["dependencies"], *(line for extra in project["optional-dependencies"].values() for line in extra)]
    specifiers = {needed.name: needed.specifier for needed in map(Requirement, lines)}
    for library in {part.module.partition(".")[0] for part in PARTS}:
        bounds = {one.operator for one in specifiers[library]}
        assert "<" in bounds, f"{library} needs an upper bound in pyproject.toml: recurra depends on its private parts."
        assert specifiers[library].contains(version(library))


def imports(node: ast.AST) -> list[tuple[str, str]]:
    """Return the module and the name of each import from another library."""
    match node:
        case ast.Import(names=names):
            found = [(alias.name, "") for alias in names]
        case ast.ImportFrom(module=str(module), names=names):
            found = [(module, alias.name) for alias in names]
        case _:
            found = []
    return [(module, name) for module, name in found if module.split(".")[0] not in ("__future__", "recurra")]


def test_every_import_of_a_private_part_is_in_the_table() -> None:
    imported = {
        (str(path.relative_to(SOURCE)), module, name)
        for path in SOURCE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        for module, name in imports(node)
        if INTERNAL.fullmatch(module)
    }
    listed = {(part.user, part.module, name) for part in PARTS for name in [part.owner, *part.names.split()]}
    assert sorted(imported - listed) == []
