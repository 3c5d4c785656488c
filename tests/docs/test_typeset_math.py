"""Formulas of the documentation become MathML, and one that cannot be typeset ends the build."""

from __future__ import annotations

import importlib.util
from types import ModuleType

import pytest

from pages import ROOT


@pytest.fixture(scope="module")
def typeset_math() -> ModuleType:
    """The extension of Sphinx, whose packages only the documentation needs."""
    for package in ("latex2mathml", "sphinx"):
        pytest.importorskip(package, reason="the packages of the documentation are not installed: make docs")
    spec = importlib.util.spec_from_file_location("typeset_math", ROOT / "docs/typeset_math.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_formula_becomes_mathml(typeset_math: ModuleType) -> None:
    written = typeset_math.mathml(r"h_t = \tanh(a_t)", "inline")
    assert written.startswith("<math")
    assert "<msub><mi>h</mi><mi>t</mi></msub>" in written


@pytest.mark.parametrize("latex", [r"\unheardof{x}", r"\begin{aligned} a &= b \end{aligned}"])
def test_a_formula_that_cannot_be_typeset_is_an_error(typeset_math: ModuleType, latex: str) -> None:
    with pytest.raises(Exception, match="cannot typeset") as caught:
        typeset_math.mathml(latex, "block")
    assert type(caught.value).__name__ == "ExtensionError"
