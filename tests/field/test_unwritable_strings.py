"""Strings that a model can never write (stop, allow, ban, prompt), and escape sequences that users type."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from recurra.cli import main
from recurra.config import ModelConfig
from recurra.errors import UsageError
from recurra.inference.sampling import SamplingConfig
from recurra.model import LanguageModel
from recurra.network.parameters import initialize
from recurra.text.escapes import first_escape, unescape
from recurra.text.vocabulary import Vocabulary

SYMBOLS = "\n\t abcn."


@pytest.fixture(scope="module")
def model() -> LanguageModel:
    """An untrained network."""
    vocabulary, config = Vocabulary.of(SYMBOLS), ModelConfig(hidden_size=8)
    return LanguageModel(config, vocabulary, initialize(config, len(vocabulary), seed=1))


@pytest.fixture
def file(model: LanguageModel, tmp_path: Path) -> str:
    """The model file of the network."""
    model.save(tmp_path / "model.safetensors")
    return str(tmp_path / "model.safetensors")


@pytest.mark.parametrize(
    ("typed", "text"),
    [
        (r"a\nb\tc\r\\n", "a\nb\tc\r\\n"),
        (r"\u00e9\U0001F600\u2028", "é😀\u2028"),
        ("no escape, but é", "no escape, but é"),
    ],
)
def test_escapes(typed: str, text: str) -> None:
    assert unescape(typed, "`--stop`") == text


@pytest.mark.parametrize(
    "typed", ["\\", "a\\", r"\q", r"\x41", r"\u12", r"\ud83d", r"\U00110000", "\\\u00e9", r"\N{DEGREE SIGN}"]
)
def test_invalid_escape_sequence_is_an_error(typed: str) -> None:
    with pytest.raises(
        UsageError, match=r"^`--stop` contains '\\.*', which is not an escape; expected \\n, \\t, "
    ) as error:
        unescape(typed, "`--stop`")
    assert error.value.hint == "write `\\\\` for a backslash, or leave out `--escapes`."


def test_the_escape_that_was_meant_is_found() -> None:
    assert [first_escape(text) for text in (r"x\n", r"\u00e9", r"\U0001f600", r"\q", "n", "")] == [
        "\\n", "\\u00e9", "\\U0001f600", None, None, None,
    ]  # fmt: skip


WARNINGS = [
    ({"stop": "\\n"}, r"`stop` contains '\\' \(U\+005C\), which the model's vocabulary does not have; it can never be "
     r"generated\. \\n is a backslash and a letter here: write the character itself; in Python"),
    ({"stop": ["a", "bé"]}, r"`stop` contains 'é' \(U\+00E9\), which the model's vocabulary does not have"),
    ({"allow": "ab?"}, r"`allow` contains '\?' \(U\+003F\), which the model's vocabulary does not have"),
    ({"ban": "z"}, r"`ban` contains 'z' \(U\+007A\), which the model's vocabulary does not have"),
    ({"stop": ".", "ban": "."}, r"`stop` contains '\.' \(U\+002E\), which `allow` and `ban` exclude; it can never be"),
    ({"stop": "a\n", "allow": "abc"}, r"`stop` contains '\\n' \(U\+000A\), which `allow` and `ban` exclude"),
]  # fmt: skip


@pytest.mark.parametrize(("settings", "message"), WARNINGS, ids=str)
def test_python_warns_once_and_writes_the_same(model: LanguageModel, settings: dict[str, Any], message: str) -> None:
    without = SamplingConfig(**settings).adapt(model.vocabulary)[0]
    assert without.adapt(model.vocabulary) == (without, [])
    with pytest.warns(UserWarning, match=message) as caught:
        text = model.sample("a", max_new_tokens=30, **settings)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert text == next(model.write(["a"], SamplingConfig(**vars(without) | {"max_new_tokens": 30}))).symbols
    with pytest.warns(UserWarning, match=message):
        assert "".join(model.pieces("a", SamplingConfig(max_new_tokens=30, **settings))) == text


def test_writable_strings_give_no_warning(model: LanguageModel) -> None:
    settings: dict[str, Any] = {"stop": ["\n", ". a"], "allow": "ab\n. ", "ban": "b"}
    assert SamplingConfig(**settings).adapt(model.vocabulary)[1] == []
    assert SamplingConfig(stop=("\\n", "é")).adapt(Vocabulary.bytes())[1] == []


def test_the_command_warns_and_names_the_switch(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sample", file, "--stop", r"\n", "--prompt", r"a\tb", "--num-return-sequences", "3"]) == 0
    assert capsys.readouterr().err == (
        "warning: `--stop` contains '\\' (U+005C), which the model's vocabulary does not have; it can never be "
        "generated.\n"
        "hint: add `--escapes` to read \\n as one character, or type $'\\n' in bash.\n"
        "warning: the vocabulary of the model lacks '\\' (U+005C), 't' (U+0074); removed from the prompt.\n"
        "hint: add `--escapes` to read \\t as one character, or type $'\\t' in bash.\n"
    )
    assert main(["sample", file, "--stop", ".", "--ban", "."]) == 0
    assert "hint: remove it from `--ban`, or add it to `--allow`." in capsys.readouterr().err


@pytest.mark.parametrize("switch", ["--escapes", "-e"])
def test_escapes_are_decoded_only_with_option(file: str, capsys: pytest.CaptureFixture[str], switch: str) -> None:
    typed = ["--prompt", r"a\t", "--stop", r"\n", "--stop", ".", "--allow", r"ab\n\u002e", "--ban", r"\u0062"]
    real = ["--prompt", "a\t", "--stop", "\n", "--stop", ".", "--allow", "ab\n.", "--ban", "b"]
    found = []
    for options in ([switch, *typed], real):
        assert main(["sample", file, "--json", *options]) == 0
        out, err = capsys.readouterr()
        assert err == ""
        found.append({name: value for name, value in json.loads(out).items() if name != "characters_per_second"})
    assert found[0] == found[1]
    assert found[0]["ended"] == ["stop"]


def test_typed_lines_too(file: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    texts = []
    for options, line in ((["-e"], b"a\\tb\n"), ([], b"a\tb\n")):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(line)))
        assert main(["sample", file, "--interactive", *options]) == 0
        texts.append(capsys.readouterr())
    assert texts[0] == texts[1]


def test_wrong_escape_ends_the_command(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sample", file, "-e", "--stop", r"\q"]) == 2
    assert "error: `--stop` contains '\\q', which is not an escape" in capsys.readouterr().err
