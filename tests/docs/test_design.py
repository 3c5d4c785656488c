"""The architecture page names packages, files and functions that exist, and the packages in the import order."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import recurra
from import_order import IMPORT_ORDER
from pages import ROOT

SOURCE = Path(recurra.__file__).parent
PAGE = (ROOT / "docs/design.md").read_text(encoding="utf-8")
HOPS = sorted(set(re.findall(r"`([\w/.]+\.py):([\w.]+)`", PAGE)))
EXAMPLES = {  # files that a reader is to write
    "interop/NAME.py",
    "src/recurra/api/measurement.py",
    "src/recurra/cli/commands/measure.py",
    "tests/api/test_measurement.py",
    "tests/cli/test_cli_measure.py",
}
FILES = sorted(set(re.findall(r"`([\w/.]+\.(?:py|js|css|html))(?::[\w.]+)?`", PAGE)) - EXAMPLES)
WAYS = re.findall(r"^### .+$", PAGE.partition("## Four ways")[2].partition("\n## ")[0], flags=re.MULTILINE)


def located(name: str) -> Path:
    """Return the path of the file `name` on the page."""
    return (ROOT if name.startswith(("src/", "tests/", "docs/", "benchmarks/")) else SOURCE) / name


def definitions(node: ast.AST, prefix: str = "") -> set[str]:
    """Yield the names of the functions and classes in `node`; methods as CLASS.NAME."""
    found = set()
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(prefix + child.name)
        if isinstance(child, ast.ClassDef):
            found |= definitions(child, f"{prefix}{child.name}.")
    return found


def package_path(name: str) -> str:
    """Return the name of a package or a top-level module in the table of the page."""
    return f"{name}/" if (SOURCE / name).is_dir() else f"{name}.py"


def test_the_page_has_four_ways_of_several_hops() -> None:
    assert len(WAYS) == 4
    assert len(HOPS) > 30


@pytest.mark.parametrize(("file", "name"), HOPS, ids=lambda part: part)
def test_every_function_on_the_page_exists(file: str, name: str) -> None:
    assert name in definitions(ast.parse(located(file).read_text(encoding="utf-8")))


@pytest.mark.parametrize("file", FILES)
def test_every_file_on_the_page_exists(file: str) -> None:
    assert located(file).is_file()


def test_the_map_has_every_package_in_the_import_order() -> None:
    rows = re.findall(r"^\| (`[^|]+) \|", PAGE, flags=re.MULTILINE)
    shown = [tuple(re.findall(r"`([^`]+)`", row)) for row in rows]
    assert shown == [tuple(map(package_path, names)) for names in IMPORT_ORDER]
