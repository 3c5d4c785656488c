"""Texts in a different canonical form of Unicode than the vocabulary: é as one character, or as e and an accent."""

from __future__ import annotations

import io
import json
import unicodedata
import warnings
from pathlib import Path
from typing import Any

import pytest
from safetensors.numpy import save_file

import recurra
from recurra.cli import main
from recurra.compression.model_codec import compress, decompress
from recurra.config import ModelConfig
from recurra.errors import UsageError
from recurra.interop.torch_state import to_state
from recurra.model import LanguageModel
from recurra.network.parameters import initialize
from recurra.text.equivalents import Respeller, respell
from recurra.text.vocabulary import Vocabulary
from unicode_examples import EQUIVALENTS

LINE = "Déjà vu: a fine naïve café of Kraków, by Łukasz.\n"
FORMS = {form: unicodedata.normalize(form, LINE) for form in ("NFC", "NFD")}
PAIRS = [("NFC", "NFD"), ("NFD", "NFC")]


def model_of(text: str) -> LanguageModel:
    """Return an untrained network with the characters of `text`."""
    vocabulary, config = Vocabulary.of(text), ModelConfig(hidden_size=8)
    return LanguageModel(config, vocabulary, initialize(config, len(vocabulary), seed=1))


@pytest.fixture(params=PAIRS, ids=" typed ".join)
def forms(request: pytest.FixtureRequest) -> tuple[str, str]:
    """A line in the canonical form of the vocabulary, and in the form that the user types."""
    known, typed = request.param
    return FORMS[known], FORMS[typed]


@pytest.mark.parametrize(("symbols", "text", "expected"), EQUIVALENTS, ids=ascii)
def test_each_cluster_has_the_form_that_is_known(symbols: str, text: str, expected: str) -> None:
    found, note = respell(text, Vocabulary.of(symbols))
    assert found == expected
    assert unicodedata.normalize("NFD", found) == unicodedata.normalize("NFD", text)
    assert (note is None) is (found == text)


def test_text_in_chunks_is_the_same_for_every_cut(forms: tuple[str, str]) -> None:
    known, typed = forms
    vocabulary = Vocabulary.of(known)
    for cut in range(len(typed) + 1):
        respelling = Respeller(vocabulary)
        assert "".join(respelling.pieces([typed[:cut], "", typed[cut:]])) == known
        assert respelling.count == 5
    assert "".join(Respeller(vocabulary).pieces(typed)) == known
    assert list(Respeller(vocabulary).pieces([])) == []


def test_very_long_cluster_is_unchanged() -> None:
    """Normalizing this many marks would exceed the time limit of the test."""
    marks = "e" + "\u0302\u0317" * 50_000
    vocabulary = Vocabulary.of("ê")
    assert respell(marks, vocabulary) == (marks, None)
    pieces = [marks[start : start + 1000] for start in range(0, len(marks), 1000)]
    assert "".join(Respeller(vocabulary).pieces(pieces)) == marks
    assert respell("e" + "\u0302" * 3, vocabulary)[0] == "ê" + "\u0302" * 2


def test_ban_of_character_written_as_several_is_refused() -> None:
    """A ban of e and the accent would exclude every e."""
    message = r"`ban` contains 'é' .*, which this model writes as 'e' \(U\+0065\), .*U\+0301"
    with pytest.raises(UsageError, match=message):
        model_of(FORMS["NFD"]).sample(ban="é")
    typed = model_of(FORMS["NFC"]).sample(ban="e\u0301", seed=1)
    assert typed == model_of(FORMS["NFC"]).sample(ban="é", seed=1)


def test_model_of_bytes_reads_text_unchanged() -> None:
    assert respell(FORMS["NFD"], Vocabulary.bytes()) == (FORMS["NFD"], None)


def test_prompts_and_scores_in_python(forms: tuple[str, str]) -> None:
    known, typed = forms
    model = model_of(known)
    expected = model.sample(known, max_new_tokens=5), model.score(known)
    with pytest.warns(UserWarning, match="in the prompt, 5 characters are read in the canonical form that the model"):
        assert model.sample(typed, max_new_tokens=5) == expected[0]
    with pytest.warns(UserWarning, match="in the text, 5 characters are read in the canonical form that the model has"):
        assert model.score(typed) == expected[1]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.score(known, dynamic="rms", learned=typed * 9)


def test_score_and_sample_on_the_command_line(
    forms: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    known, typed = forms
    model_of(known).save(tmp_path / "model.safetensors")
    model = str(tmp_path / "model.safetensors")
    for name, text in (("known", known), ("typed", typed)):
        (tmp_path / f"{name}.txt").write_text(text * 300, encoding="utf-8")
    for options in ([], ["--dynamic"], ["--documents", "lines"]):
        found = []
        for name in ("known", "typed"):
            assert main(["score", model, str(tmp_path / f"{name}.txt"), "--json", *options]) == 0
            found.append(json.loads(capsys.readouterr().out))
        assert found[0]["nats"] == found[1]["nats"]
        assert found[1]["unknown_characters"] == 0
        notes = [note for note in found[1]["notes"] if "1,500 characters are read in the canonical form" in note]
        assert len(notes) == 1
    texts = []
    for prompt in (known, typed):
        assert main(["sample", model, "--prompt", prompt, "--max-new-tokens", "5"]) == 0
        texts.append(capsys.readouterr())
    assert texts[0].out == texts[1].out
    assert texts[1].err.startswith("note: in the prompt, 5 characters are read in the canonical form")


@pytest.mark.parametrize("extend", [False, True])
def test_training_and_resume_from_other_canonical_form(forms: tuple[str, str], tmp_path: Path, *, extend: bool) -> None:
    known, typed = forms
    book = tmp_path / "typed.txt"
    book.write_text(typed * 40 + "ß" * extend, encoding="utf-8")
    model_of(known).save(tmp_path / "model.safetensors")
    settings: dict[str, Any] = {"preset": "classic", "hidden_size": 8, "proof": False, "report": False, "seed": 0}
    start: dict[str, Any] = {"start": tmp_path / "model.safetensors", "extend_vocabulary": extend}
    run = recurra.train(book, run=tmp_path / "run", updates=4, **start, **settings)
    assert run.model.vocabulary.symbols == "".join(sorted(set(known + "ß" * extend)))
    whole = recurra.train(book, run=tmp_path / "whole", updates=8, **start, **settings)
    resumed = recurra.train(run=run.folder, resume=True, updates=8, proof=False, report=False)
    assert resumed.model.sha256 == whole.model.sha256
    assert any("in the canonical form" in note for note in recurra_notes(run.folder))


def recurra_notes(folder: Path) -> list[str]:
    """Return the notes on the text in run.toml."""
    import tomllib

    return list(tomllib.loads((folder / "run.toml").read_text(encoding="utf-8"))["text"]["notes"])


def test_import_by_a_text(forms: tuple[str, str], tmp_path: Path) -> None:
    known, typed = forms
    model = model_of(known)
    save_file(to_state(model.config, model.parameters), tmp_path / "state.safetensors")
    (tmp_path / "typed.txt").write_text(typed, encoding="utf-8")
    with pytest.warns(
        UserWarning,
        match=r"is read with LF as its line ends, in Unicode's NF[CD], since the network has \d+ characters",
    ):
        found = recurra.import_model(tmp_path / "state.safetensors", sources=tmp_path / "typed.txt")
    assert found.vocabulary == model.vocabulary


def test_compression_keeps_canonical_form(forms: tuple[str, str]) -> None:
    known, typed = forms
    model, coded, back = model_of(known), io.BytesIO(), io.BytesIO()
    compress(model, io.BytesIO(typed.encode()), coded)
    coded.seek(0)
    decompress(model, coded, back)
    assert back.getvalue() == typed.encode()
