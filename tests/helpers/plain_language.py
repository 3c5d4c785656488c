"""Check the English of the project: docstrings, comments, messages and pages.

Run as a program, it prints one line for each finding and exits with 1 if there is one:

    python tests/helpers/plain_language.py [FILE ...]

Without arguments it checks the whole project. `CONTRIBUTING.md` has the rules in words.
"""

from __future__ import annotations

import ast
import io
import re
import sys
import tokenize
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOT: Final = Path(__file__).resolve().parents[2]
SOURCE: Final = ROOT / "src" / "recurra"
FOLDERS: Final = ("src", "tests", "benchmarks", "docs", "release")
PAGES: Final = ("README.md", "SECURITY.md", "CONTRIBUTING.md")
SELF: Final = (Path(__file__).resolve(), ROOT / "tests/docs/test_plain_language.py")  # both quote the words
LOG: Final = ROOT / "docs/log.md"  # old entries keep their words

OPENINGS: Final = re.compile(
    r"(What|Where|Whether|Who|Whom|Whose|Which|How|It|They|All that|That of|Those (?:of|that|which)|The ones?)\b"
)
WORDS: Final = {
    r"tell|tells|told|telling": "name the action: print, report, return, show, warn",
    r"knows|knew": "name the state: has, stores, reads",
    r"says|said": "name the action: states, prints, shows",
    r"stands?": "use is, are, appears",
    r"lies?|lay": "use is, are",
    r"wants": "use needs or expects",
    r"goes on|go on|going on|went on": "use continue or resume",
    r"hands? over|handed over": "use pass or return",
    r"crew": "use leader and worker processes",
    r"the mission|the mission's|the course's": "name the source: DD2424 assignment 4, min-char-rnn",
    r"inert": "use escaped or sanitized",
    r"way back": "name the operation: resume, recover, decompress",
    r"is asked|are asked|was asked|what is asked": "name the request",
}
FORBIDDEN: Final = re.compile(rf"\b(?:{'|'.join(WORDS)})\b", re.IGNORECASE)
LONGEST_SENTENCE: Final = 35  # words
# Functions in these places list their arguments and their result.
DOCUMENTED: Final = (
    "api/",
    "model.py",
    "engines/kernels/",
    "inference/kernels/",
    "compression/kernels/",
    "network/cells/",
)


class Finding(NamedTuple):
    """One place in a file that breaks a rule."""

    path: Path
    line: int
    message: str

    def __str__(self) -> str:
        """Return the finding as compilers print theirs."""
        shown = self.path.relative_to(ROOT) if self.path.is_relative_to(ROOT) else self.path
        return f"{shown}:{self.line}: {self.message}"


def sentences(text: str) -> Iterator[str]:
    """Yield the sentences of `text`, without indented blocks; each piece of code in backticks becomes one word."""
    running = "\n".join("" if line.startswith("    ") else line for line in text.splitlines())
    for paragraph in re.split(
        r"\n\s*\n|\n(?=\s*(?:[-*|#]|\d+\.)\s|\s*\S[^\n]* {3,}\S)", re.sub(r"``?[^`]+``?", "CODE", running)
    ):
        yield from re.split(r"(?<=[.!?:;])\s+", " ".join(paragraph.split()))


def in_text(path: Path, line: int, text: str) -> Iterator[Finding]:
    """Yield the forbidden words and the long sentences of `text`, which begins at `line` of `path`."""
    for match in FORBIDDEN.finditer(re.sub(r"`[^`]*`", "", text)):
        advice = next(advice for words, advice in WORDS.items() if re.fullmatch(words, match.group(), re.IGNORECASE))
        yield Finding(path, line, f"`{match.group()}`: {advice}")
    for sentence in sentences(text):
        if (length := len(sentence.split())) > LONGEST_SENTENCE:
            yield Finding(
                path, line, f"a sentence of {length} words, at most {LONGEST_SENTENCE}: {sentence[:60]!r} ..."
            )


def in_opening(path: Path, line: int, text: str, subject: str) -> Iterator[Finding]:
    """Yield a finding if `text` begins with a clause that has no head."""
    if match := OPENINGS.match(text.lstrip()):
        yield Finding(path, line, f"{subject} begins with `{match.group()}`: begin with a verb or a noun")


def argument_names(function: ast.FunctionDef | ast.AsyncFunctionDef) -> list[str]:
    """Return the names of the arguments that a caller passes."""
    given = function.args
    every = [*given.posonlyargs, *given.args, *given.kwonlyargs, *filter(None, (given.vararg, given.kwarg))]
    return [argument.arg for argument in every if argument.arg not in ("self", "cls")]


def returns_nothing(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Return True if the function's annotation is None, or if it has none and no `return` with a value."""
    if function.returns is None:
        return not any(isinstance(node, ast.Return) and node.value is not None for node in ast.walk(function))
    return isinstance(function.returns, ast.Constant) and function.returns.value is None


def in_sections(path: Path, function: ast.FunctionDef | ast.AsyncFunctionDef, docstring: str) -> Iterator[Finding]:
    """Yield what the sections Args and Returns of a public function's docstring lack."""
    names = argument_names(function)
    if not names:
        return
    _, head, section = docstring.partition("Args:\n")
    if not head:
        yield Finding(path, function.lineno, f"`{function.name}` has arguments and no section `Args:`")
    for name in names if head else ():
        if not re.search(
            rf"^\s*(?:\*{{0,2}}\w+, )*\*{{0,2}}{name}(?:, \*{{0,2}}\w+)*(?: \(.*?\))?:", section, re.MULTILINE
        ):
            yield Finding(path, function.lineno, f"`{function.name}` does not document its argument `{name}`")
    if not returns_nothing(function) and not re.search(r"^\s*(Returns|Yields):", docstring, re.MULTILINE):
        yield Finding(path, function.lineno, f"`{function.name}` has a result and no section `Returns:`")


def is_documented_in_full(path: Path, node: ast.AST, parents: Sequence[ast.AST]) -> bool:
    """Return True if `node` is a public function in a place whose functions list their arguments."""
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or node.name.startswith("_"):
        return False
    if not path.is_relative_to(SOURCE) or any(isinstance(parent, ast.FunctionDef) for parent in parents):
        return False
    if any(isinstance(parent, ast.ClassDef) and parent.name.startswith("_") for parent in parents):
        return False
    return path.relative_to(SOURCE).as_posix().startswith(DOCUMENTED)


def nodes_with_parents(
    node: ast.AST, parents: tuple[ast.AST, ...] = ()
) -> Iterator[tuple[ast.AST, tuple[ast.AST, ...]]]:
    """Yield every node below `node`, each with the nodes above it."""
    for child in ast.iter_child_nodes(node):
        yield child, parents
        yield from nodes_with_parents(child, (*parents, child))


def in_python(path: Path) -> Iterator[Finding]:
    """Yield the findings in a Python file: docstrings, comments, and the messages and help texts of the package."""
    source = path.read_text(encoding="utf-8")
    tree = ast.parse(source)
    docstrings: set[int] = set()
    for node, parents in [(tree, ()), *nodes_with_parents(tree)]:
        if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        docstring = ast.get_docstring(node)
        if docstring is None:
            continue
        docstrings.add(id(node.body[0].value))  # type: ignore[attr-defined]
        line, name = node.body[0].lineno, getattr(node, "name", path.stem)
        yield from in_opening(path, line, docstring, f"the docstring of `{name}`")
        for entry in re.findall(r"^\s+\*{0,2}\w+(?: \(.*?\))?: (.+)$", docstring, re.MULTILINE):
            yield from in_opening(path, line, entry, f"an entry in the docstring of `{name}`")
        yield from in_text(path, line, docstring)
        if is_documented_in_full(path, node, parents):
            yield from in_sections(path, node, docstring)  # type: ignore[arg-type]
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield from in_text(path, token.start[0], token.string.lstrip("#: "))
    if path.is_relative_to(SOURCE):
        yield from in_messages(path, tree, docstrings)


def in_messages(path: Path, tree: ast.Module, docstrings: set[int]) -> Iterator[Finding]:
    """Yield the findings in the strings that have a blank: messages, help texts, labels."""
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.keyword)
            and node.arg in ("help", "description")
            and isinstance(node.value, ast.Constant)
        ):
            yield from in_opening(path, node.value.lineno, str(node.value.value), "a help text")
        if (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and " " in node.value
            and id(node) not in docstrings
        ):
            yield from in_text(path, node.lineno, node.value)


def in_script(path: Path) -> Iterator[Finding]:
    """Yield the findings in a JavaScript file: comments, and strings that have a blank."""
    text = path.read_text(encoding="utf-8")
    places = r"/\*(.*?)\*/|(?<![:\w])//(.*?)$|\"([^\"\n]* [^\"\n]*)\"|`([^`]* [^`]*)`"
    for match in re.finditer(places, text, re.DOTALL | re.MULTILINE):
        words = next(group for group in match.groups() if group is not None)
        yield from in_text(
            path, text.count("\n", 0, match.start()) + 1, re.sub(r"\$\{[^}]*\}|^\s*\*", " ", words, flags=re.MULTILINE)
        )


def in_page(path: Path) -> Iterator[Finding]:
    """Yield the findings in the prose of a Markdown page; code blocks are left out."""
    text = path.read_text(encoding="utf-8")
    prose = re.sub(
        r"^```.*?^```|\$\$.*?\$\$|^(?: {4}|\t).*?$|^\|.*?$",
        lambda block: "\n" * block.group().count("\n"),
        text,
        flags=re.DOTALL | re.MULTILINE,
    )
    line = 1
    for paragraph in re.split(r"(\n\s*\n)", prose):
        yield from in_text(path, line, re.sub(r"\]\([^)]*\)", "]", paragraph))
        line += paragraph.count("\n")


CHECKS: Final = {"*.py": in_python, "*.md": in_page, "*.js": in_script}


def project_files() -> list[Path]:
    """Return the files of the project that are checked."""
    folders = [ROOT / name for name in FOLDERS]
    files = [path for folder in folders for kind in CHECKS for path in folder.rglob(kind)]
    kept = [path for path in files if not {"_build", "generated", "__pycache__"} & set(path.parts)]
    return sorted({*kept, *(ROOT / name for name in PAGES)} - {*SELF, LOG})


def findings(paths: Sequence[Path]) -> list[Finding]:
    """Return the findings in the files `paths`, in order."""
    return [found for path in paths for found in CHECKS[f"*{path.suffix}"](path.resolve())]


def main(arguments: Sequence[str]) -> int:
    """Print the findings in the files named on the command line, or in the whole project."""
    found = findings([Path(name) for name in arguments] or project_files())
    for finding in found:
        print(finding)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
