"""The JavaScript modules joined into one script: each once, in order, without name clashes."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path

import pytest

import recurra
from recurra.web.assets import asset, order, policy_hash, script

WEB = Path(recurra.__file__).parent / "web" / "static"
ENTRIES = ["report.js", "page.js"]


@pytest.mark.parametrize("entry", ENTRIES)
def test_each_module_appears_once_after_its_imports(entry: str) -> None:
    names = order(entry)
    assert names[-1] == entry
    assert len(names) == len(set(names))
    for place, name in enumerate(names):
        assert set(re.findall(r'from "\./(.+?)"', asset(name))) <= set(names[:place])
        assert name.removesuffix(".js").isidentifier()


@pytest.mark.parametrize("entry", ENTRIES)
def test_script_has_no_imports_and_cannot_end_its_element(entry: str) -> None:
    code = script(entry)
    assert not re.search(r"^\s*(import|export)\b", code, re.MULTILINE)
    assert "</script" not in code.lower()
    assert "<!--" not in code


def test_every_imported_name_is_exported() -> None:
    for path in WEB.glob("*.js"):
        for names, source in re.findall(r'^import \{([^}]*)\} from "\./(.+?)"', path.read_text(), re.MULTILINE):
            for name in filter(None, (name.strip() for name in names.split(","))):
                exported = rf"^export (?:const|class|function) {name}\b"
                assert re.search(exported, asset(source), re.MULTILINE), f"{path.name}: {name} of {source}"


def test_no_module_turns_text_into_markup_or_code() -> None:
    """The text of a network reaches a page only as text nodes."""
    for path in WEB.glob("*.js"):
        code = path.read_text()
        for word in (
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "Function(",
            "DOMParser",
        ):
            assert word not in code, f"{path.name} has {word}"
        assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", code)


def test_every_module_is_in_a_script() -> None:
    used = {name for entry in ENTRIES for name in order(entry)}
    assert used == {path.name for path in WEB.glob("*.js")}


def test_policy_hash_equals_that_of_browsers() -> None:
    digest = base64.b64encode(hashlib.sha256("a¶b".encode()).digest()).decode()
    assert policy_hash("a¶b") == f"'sha256-{digest}'"
