"""The commands and outputs in the code blocks of the README and of the documentation."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
PAGES = [page for page in PAGES if not {"_build", "generated"} & set(page.parts) and page.name != "log.md"]


class Shown(NamedTuple):
    """A command, and the lines of output below it on a page."""

    command: str
    output: list[str]


PROSE = "\0"  # a mark for a line between two code blocks


def code_lines(page: Path) -> Iterator[str]:
    """Yield the lines of a page's code blocks, the commands in its tables, and `PROSE` for each other line."""
    fenced = False
    for line in page.read_text(encoding="utf-8").splitlines():
        if line.lstrip().startswith("```"):
            fenced = not fenced
        elif fenced:
            yield line
        elif line.startswith("    "):
            yield line[4:]
        elif line.startswith("| ") and (typed := re.search(r"\| `(recurra [^`]+)` \|", line)):
            yield typed[1]
        elif line:
            yield PROSE


def commands(page: Path) -> list[list[str]]:
    """Return the arguments of every `recurra …` in the code of a page, also in pipes."""
    arguments = []
    for line in code_lines(page):
        for part in re.split(r"(?<!\S)\|(?!\S)", line.removeprefix("$ ")):
            words = words_of(part)
            if words[:1] == ["recurra"] and len(words) > 1 and not words[1].startswith("│"):
                arguments.append(words[1:])
    return arguments


def words_of(line: str) -> list[str]:
    """Split a line into words as a shell does, without comments and redirections."""
    try:
        words = shlex.split(re.sub(r"\$'\\n'", "'\n'", line), comments=True)
    except ValueError:
        return []
    return words[: words.index(">")] if ">" in words else words


def shown(page: Path) -> list[Shown]:
    """Return the commands of a page after a `$`, each with the output below it."""
    examples: list[Shown] = []
    in_output = False
    for line in code_lines(page):
        if line.startswith("$ "):
            examples.append(Shown(line[2:], []))
            in_output = True
        elif line == PROSE:
            in_output = False
        elif in_output and line:
            examples[-1].output.append(line)
    return examples
