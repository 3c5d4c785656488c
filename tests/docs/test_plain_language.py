"""The project's English follows the rules of `CONTRIBUTING.md`, and each rule finds what it is for."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import pytest

import plain_language
from plain_language import ROOT, SOURCE

if TYPE_CHECKING:
    from pathlib import Path


def area(path: Path) -> str:
    """Return the package of the source, or the folder of the project, to which `path` belongs."""
    if path.is_relative_to(SOURCE):
        inside = path.relative_to(SOURCE)
        return f"src/recurra/{inside.parts[0]}"
    return path.relative_to(ROOT).parts[0]


@functools.cache
def by_area() -> dict[str, list[Path]]:
    """Return the checked files of each area."""
    areas: dict[str, list[Path]] = {}
    for path in plain_language.project_files():
        areas.setdefault(area(path), []).append(path)
    return areas


@pytest.mark.parametrize("name", sorted(by_area()))
def test_area_has_no_findings(name: str) -> None:
    findings = plain_language.findings(by_area()[name])
    assert not findings, "\n".join(map(str, findings))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("What time carries.", "begins with `What`"),
        ("Where kernels are kept.", "begins with `Where`"),
        ("Whether the run is done.", "begins with `Whether`"),
        ("That of the cell.", "begins with `That of`"),
        ("Those of the cell.", "begins with `Those of`"),
        ("All that is read.", "begins with `All that`"),
        ("Who reads.", "begins with `Who`"),
        ("It reads.", "begins with `It`"),
        ("They read.", "begins with `They`"),
        ("The one that reads.", "begins with `The one`"),
        ("How rates change.", "begins with `How`"),
        ("Return the rate that the trainer told.", "`told`"),
        ("Return the rate, as the file tells.", "`tells`"),
        ("Return the state, and the run goes on.", "`goes on`"),
        ("Return " + "the rate and " * 12 + "the state.", "a sentence of 39 words"),
    ],
)
def test_rule_finds_docstring(tmp_path: Path, text: str, expected: str) -> None:
    path = tmp_path / "module.py"
    path.write_text(f'"""{text}"""\n', encoding="utf-8")
    (finding,) = plain_language.findings([path])
    assert expected in str(finding)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("comment.py", "x = 1  # as the caller tells"),
        ("page.md", "The file tells the rate."),
        ("script.js", "// the file tells the rate"),
        ("string.js", 'warn("the file tells the rate")'),
    ],
)
def test_rule_finds_word_in_every_kind_of_file(tmp_path: Path, name: str, text: str) -> None:
    path = tmp_path / name
    path.write_text(text + "\n", encoding="utf-8")
    (finding,) = plain_language.findings([path])
    assert "`tells`" in str(finding)


@pytest.mark.parametrize(
    ("docstring", "expected"),
    [
        ("Return it.", ["no section `Args:`", "no section `Returns:`"]),
        ("Return it.\n\n    Args:\n        a: a number.\n\n    Returns: the sum.\n    ", ["its argument `b`"]),
        ("Return it.\n\n    Args:\n        a, b: numbers.\n    ", ["no section `Returns:`"]),
        ("Return it.\n\n    Args:\n        a, b: numbers.\n\n    Returns: the sum.\n    ", []),
    ],
)
def test_public_function_documents_arguments_and_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, docstring: str, expected: list[str]
) -> None:
    monkeypatch.setattr(plain_language, "SOURCE", tmp_path)
    (tmp_path / "api").mkdir()
    path = tmp_path / "api/addition.py"
    path.write_text(
        f'"""Sums."""\n\ndef add(a: int, b: int) -> int:\n    """{docstring}"""\n    return a + b\n', encoding="utf-8"
    )
    found = [finding.message for finding in plain_language.findings([path])]
    assert len(found) == len(expected)
    assert all(part in message for part, message in zip(expected, found, strict=True))


def test_code_in_pages_and_backticks_is_not_checked(tmp_path: Path) -> None:
    path = tmp_path / "page.md"
    path.write_text("Read `tells`.\n\n    the file tells\n\n```\nthe file tells\n```\n", encoding="utf-8")
    assert not plain_language.findings([path])


def test_program_prints_findings_and_exits_with_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "module.py"
    path.write_text('"""What is read."""\n', encoding="utf-8")
    assert plain_language.main([str(path)]) == 1
    assert "module.py:1: the docstring of `module` begins with `What`" in capsys.readouterr().out
