"""README and documentation agree with the code: commands parse, options and names exist, outputs match."""

from __future__ import annotations

import functools
import inspect
import io
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors.numpy import save_file

import recurra
from mat_files import HEAD, numbers, struct_of
from pages import PAGES, ROOT, commands, shown, words_of
from recurra.cli import main
from recurra.cli.command_line import COMMANDS, build, parse
from recurra.interop.matlab import FIELDS
from recurra.interop.torch_state import to_state

SHOWN = {page: page.relative_to(ROOT).as_posix() for page in PAGES}
LINES = [pytest.param(words, id=f"{SHOWN[page]}: {' '.join(words)}") for page in PAGES for words in commands(page)]
PSALM = (
    "The LORD is my shepherd; I shall not want.\n"
    "He maketh me to lie down in green pastures: he leadeth me beside the still waters.\n"
)


def test_pages_have_many_commands() -> None:
    assert len(LINES) > 35
    assert {words[0] for page in PAGES for words in commands(page)} >= set(COMMANDS) - {"books", "doctor"}


@pytest.mark.parametrize("words", LINES)
def test_every_command_on_a_page_parses(words: list[str]) -> None:
    if words[0] in COMMANDS and "COMMAND" not in words:
        parse(build(), words)


@pytest.mark.parametrize("page", PAGES, ids=list(SHOWN.values()))
def test_every_option_on_a_page_exists(page: Path) -> None:
    known = {"--help", "--version", "--nproc-per-node", "--max-restarts", "--nnodes", "--node-rank", "--rounds"}
    known |= {"--rdzv-id"}
    for command in COMMANDS:
        arguments = build()[command].assemble_argument_collection()
        known |= {name for argument in arguments for name in argument.names}
    words = set(re.findall(r"(?<=`)--[a-z][a-z-]*", page.read_text(encoding="utf-8")))
    assert words <= known


def test_every_public_name_is_in_the_reference() -> None:
    pages = [ROOT / "docs/reference/python.md", ROOT / "docs/reference/errors.md"]
    text = "".join(page.read_text(encoding="utf-8") for page in pages)
    missing = [name for name in recurra.__all__ if not re.search(rf"recurra\.(errors\.)?{name}\b", text)]
    assert missing == []


@pytest.mark.parametrize("name", recurra.__all__)
def test_docstrings_of_public_names_list_existing_parameters(name: str) -> None:
    value = getattr(recurra, name)
    docstring = inspect.getdoc(value) or ""
    assert len(docstring) > 20
    section = re.search(r"^Args:\n((?:    .*\n?)+)", docstring, flags=re.MULTILINE)
    terms = re.findall(r"^    \*{0,2}(\w+):", section[1], flags=re.MULTILINE) if section else []
    parameters = inspect.signature(value).parameters
    assert set(terms) <= set(parameters)


BOOK = "In the beginning was a small book, and God said: let it be read often.\n" * 40
MORE = {
    "400000": "70",
    "2000": "200",
    "kjv": "book.txt",
    "more.txt": "book.txt",
    "1m": "0.1s",
}  # smaller than on the page
NOT_RUN = {"check", "serve"}  # slow or endless; tests/cli covers them
README = [words for words in commands(ROOT / "README.md") if words[0] in COMMANDS and words[0] not in NOT_RUN]


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the texts and runs that the commands of the README use."""
    folder = tmp_path_factory.mktemp("shelf")
    for name in ("book.txt", "mybook.txt", "names.txt", "psalm.txt"):
        (folder / name).write_text(BOOK, encoding="utf-8")
    settings: dict[str, Any] = {"preset": "classic", "updates": 40, "hidden_size": 8, "validation": 0.1}
    recurra.train(folder / "book.txt", run=folder / "runs/mybook", proof=False, **settings)
    for name in ("kjv", "tinyshakespeare"):
        shutil.copytree(folder / "runs/mybook", folder / "runs" / name)
    _of_others(folder)
    return folder


def _of_others(folder: Path) -> None:
    """Write files of other programs: a state_dict, and the struct of DD2424 with its characters."""
    model = recurra.load(folder / "runs/mybook")
    save_file(to_state(model.config, model.parameters), folder / "theirs.safetensors")
    arrays = {field: model.parameters[name] for field, name in FIELDS.items()}
    fields = {field: numbers("", array.reshape(len(array), -1)) for field, array in arrays.items()}
    characters = numbers("code_points", model.vocabulary.code_points.reshape(1, -1))
    (folder / "RNN.mat").write_bytes(HEAD + struct_of("RNN", fields) + characters)


@pytest.mark.parametrize("words", README, ids=" ".join)
def test_every_command_of_the_readme_runs(words: list[str], shelf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(shelf)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"notes"), encoding="utf-8"))
    words = [MORE.get(word, word) for word in words]
    if words[0] == "train" and "--resume" not in words:
        words += ["--force"]
    if words[0] == "train" and not {"--updates", "--time-limit"} & set(words):
        words += ["--updates", "1000" if "--resume" in words else "70"]  # more than fit in 0.1 s
    if words[0] == "train" and "--no-proof" not in words:
        words += ["--no-proof"]
    if words[0] == "decompress":
        words += ["--force"]
    for format, package in {"onnx": "onnx", "matlab": "scipy"}.items():
        if format in words:
            pytest.importorskip(package, reason=f"the export is by {package}")
    if "torch" in words and "--engine" in words:
        pytest.importorskip("torch", reason="engine torch is an extra: pip install 'recurra[torch]'")
    assert main(words) == 0


NOT_SHOWN = {"check", "serve", "doctor"}  # slow, endless, or different on each machine


@pytest.fixture(scope="module")
def happens(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """Return a function that runs `recurra` in one folder for all pages, each command once, and returns its output."""
    folder = tmp_path_factory.mktemp("tour")
    (folder / "psalm.txt").write_text(PSALM, encoding="utf-8")
    (folder / "mybook.txt").write_text(PSALM * 20, encoding="utf-8")

    @functools.cache
    def run(*words: str) -> str:
        line = [sys.executable, "-m", "recurra", *words]
        done = subprocess.run(
            line, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
        assert done.returncode == 0, done.stdout
        if words[0] == "decompress":
            assert (folder / "back.txt").read_bytes() == PSALM.encode()
        return done.stdout

    return run


@pytest.mark.pages
@pytest.mark.parametrize("page", ["README.md", "docs/start.md"])
def test_page_output_matches_program_output(page: str, happens: Callable[..., str]) -> None:
    """The output has each line of the page, in order; `…` matches any text."""
    pairs = [(words_of(pair.command), pair.output) for pair in shown(ROOT / page)]
    pairs = [(words[1:], lines) for words, lines in pairs if words[0] == "recurra" and words[1] not in NOT_SHOWN]
    assert len(pairs) >= 4
    for words, lines in pairs:
        output = happens(*words)
        came = iter(output.splitlines())
        for expected in lines:
            if expected != "…":
                pattern = ".*".join(re.escape(part) for part in expected.rstrip().split("…"))
                assert any(re.fullmatch(pattern, own.rstrip()) for own in came), f"{expected}\n---\n{output}"
