"""The generated page of the commands has an entry for every option."""

from __future__ import annotations

import importlib.util
import re
from types import ModuleType

import pytest

from pages import ROOT
from recurra.cli.command_line import COMMANDS, build


@pytest.fixture(scope="module")
def from_code() -> ModuleType:
    """The module that generates the pages."""
    spec = importlib.util.spec_from_file_location("from_code", ROOT / "docs/from_code.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def sections(from_code: ModuleType) -> dict[str, str]:
    """The sections of the commands page by command."""
    _, *parts = from_code.commands().split("\n## recurra ")
    return {part.partition("\n")[0]: part for part in parts}


@pytest.mark.parametrize("command", COMMANDS)
def test_the_commands_page_has_an_entry_for_every_option(command: str, sections: dict[str, str]) -> None:
    section = sections[command]
    entries = re.findall(r"^```\{option\} (.+)$", section, re.MULTILINE)
    documented = {name.partition(" ")[0] for entry in entries for name in entry.split(", ")}
    arguments = build()[command].assemble_argument_collection()
    assert documented == {name for one in arguments if one.parameter.show is not False for name in one.names}


def test_plain_words_become_markdown_with_options_as_code(from_code: ModuleType) -> None:
    assert from_code.markdown("With --from: 1 < 2 * 3 of `a_b`; -3.") == r"With `--from`: 1 \< 2 \* 3 of `a_b`; -3."
