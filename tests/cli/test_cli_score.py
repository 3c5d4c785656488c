"""`recurra score`: equal figures in the table, in JSON and in Python, and errors for unknown training texts."""

from __future__ import annotations

import io
import json
import math
import shutil
from pathlib import Path

import pytest

from calling import Call
from recurra import LanguageModel, ModelConfig, Vocabulary, load
from recurra.api import evaluation
from recurra.cli import main, score_output
from recurra.inference.scoring import Score
from recurra.network.parameters import initialize

TEXT = "A small book, of many words.\n\nFew times over, read.\n"


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "words.txt"
    path.write_text(TEXT, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory, book: Path) -> Path:
    """A run with a held-out text."""
    folder = tmp_path_factory.mktemp("runs") / "held"
    options = ["--preset", "classic", "--hidden-size", "8", "--updates", "100", "--validation", "0.1", "--no-proof"]
    assert main(["train", str(book), *options, "--run", str(folder), "--quiet"]) == 0
    return folder


@pytest.fixture
def bytes_model(tmp_path: Path) -> Path:
    path = tmp_path / "bytes.safetensors"
    config = ModelConfig(hidden_size=4)
    LanguageModel(config, Vocabulary.bytes(), initialize(config, 256, seed=0, scale=0.3)).save(path)
    return path


def test_json_has_the_figures_of_python(call: Call, trained: Path, text: Path) -> None:
    code, out, err = call("score", trained, text, "--json")
    assert (code, err) == (0, "")
    found, expected = json.loads(out), load(trained).score(TEXT)
    for name in (
        "characters", "nats", "nats_per_character", "bits_per_character", "bits_per_byte", "perplexity",
        "unknown_characters", "bytes",
    ):  # fmt: skip
        assert found[name] == getattr(expected, name), name
    assert found["dynamic"] is None
    assert (found["model"], found["text"], found["also"], found["notes"]) == (str(trained), "words", [], [])


def test_long_text_in_chunks_has_the_same_score(
    call: Call, trained: Path, text: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = json.loads(call("score", trained, text, "--json").out)
    monkeypatch.setattr(evaluation, "CHUNK_SYMBOLS", 7)
    pieces = json.loads(call("score", trained, text, "--json").out)
    monkeypatch.setattr("recurra.text.long_text.IN_MEMORY", 10)
    stored = json.loads(call("score", trained, text, "--json").out)
    assert whole["nats"] == pieces["nats"] == stored["nats"]


def test_the_table(call: Call, trained: Path, text: Path) -> None:
    code, out, err = call("score", trained, text, "--baselines")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == f"words, all of it: {len(TEXT)} characters"
    assert lines[1].split() == [
        "bits/character",
        "nats/character",
        "bits/byte",
        "perplexity",
        "unknown",
        "characters/s",
    ]
    score = load(trained).score(TEXT)
    row = lines[-1].split()
    assert row[:5] == [
        str(trained), f"{score.bits_per_character:.4f}", f"{score.nats_per_character:.4f}",
        f"{score.bits_per_byte:.4f}", f"{score.perplexity:.3f}",
    ]  # fmt: skip
    assert [line.split()[0] for line in lines[2:-1]] == [
        "uniform", "unigram", *(f"{n}-gram," for n in range(1, 7)), "gzip", "bzip2", "xz",
    ]  # fmt: skip


def test_default_text_is_held_out_part(call: Call, held: Path, book: Path) -> None:
    found = json.loads(call("score", held, "--json", "--baselines").out)
    content = book.read_text(encoding="utf-8")
    part = content[int(len(content) * 0.9) :]
    assert found["nats"] == load(held).score(part).nats
    assert found["part"] == "the part that was held out"
    assert found["baselines"]["ngram"]["6"] < found["baselines"]["ngram"]["1"] < found["baselines"]["uniform"]
    noted = json.loads(call("score", held, book, "--json").out)["notes"]
    assert noted == ["the model was trained on this text; without TEXT only its held-out part is scored"]


def test_run_without_held_out_text_is_error(call: Call, trained: Path) -> None:
    code, _, err = call("score", trained)
    assert code == 2
    assert err.splitlines() == [
        f"error: `{trained}` has no held-out text.",
        "hint: give the text: `recurra score MODEL TEXT`.",
    ]


def test_model_file_has_no_training_text(call: Call, bytes_model: Path, text: Path) -> None:
    code, _, err = call("score", bytes_model)
    assert code == 4
    assert "does not name its training text." in err
    code, out, _ = call("score", bytes_model, text, "--baselines")
    assert code == 0
    assert f"note: no n-grams: `{bytes_model}` does not name its training text." in out


def test_several_models_side_by_side(call: Call, trained: Path, held: Path, bytes_model: Path, tmp_path: Path) -> None:
    mixed = tmp_path / "mixed.txt"
    mixed.write_text("A small böok.", encoding="utf-8")
    found = json.loads(call("score", trained, mixed, "--also", held, "--also", bytes_model, "--json").out)
    assert [other["model"] for other in found["also"]] == [str(held), str(bytes_model)]
    assert (found["characters"], found["unknown_characters"], found["bytes"]) == (13, 1, 14)
    assert found["also"][0]["nats"] == load(held).score("A small böok.").nats
    assert (found["also"][1]["characters"], found["also"][1]["bytes"]) == (14, 14)
    assert found["notes"] == ["a model of bytes counts each byte as a character; compare models by bits/byte"]


def test_dynamic_score_is_listed_after_static_score(call: Call, trained: Path, text: Path) -> None:
    text.write_text(TEXT * 5, encoding="utf-8")
    before = load(trained).sha256
    found = json.loads(call("score", trained, text, "--dynamic", "--json").out)
    assert found["dynamic"]["method"] == "rms"  # the text that was learned is there
    assert found["dynamic"]["nats"] != found["nats"]
    model = load(trained)
    given = json.loads(call("score", trained, text, "--dynamic", "--dynamic-rate", 0, "--json").out)
    assert given["dynamic"]["nats"] == given["nats"] == model.score(TEXT * 5).nats
    sgd = call("score", trained, text, "--dynamic", "--dynamic-method", "sgd", "--dynamic-rate", 0.1)
    assert "  dynamic, sgd, learning rate 0.1 " in sgd.out
    assert model.sha256 == before


def test_dynamic_uses_sgd_if_training_text_is_missing(call: Call, trained: Path, text: Path, tmp_path: Path) -> None:
    alone = tmp_path / "alone.safetensors"
    shutil.copy(trained / "checkpoints" / "best.safetensors", alone)
    code, out, _ = call("score", alone, text, "--dynamic")
    assert code == 0
    why = f"the text of `{alone}` cannot be read again: the run has no record of its files."
    assert f"note: dynamic evaluation by sgd: {why}" in out
    code, _, err = call("score", alone, text, "--dynamic", "--dynamic-method", "rms")
    assert code == 3
    assert f"error: {why}" in err


def test_per_character_is_a_line_of_json_each(call: Call, trained: Path, text: Path) -> None:
    code, out, err = call("score", trained, text, "--per-character")
    assert code == 0
    assert err.startswith(f"words, all of it: {len(TEXT)} characters")
    rows = [json.loads(line) for line in out.splitlines()]
    expected = load(trained).score(TEXT)
    assert expected.losses is not None
    assert [row["character"] for row in rows] == list(TEXT)
    assert [row["nats"] for row in rows] == expected.losses.tolist()
    assert (rows[0]["rank"], rows[0]["guess"]) == (None, None)
    assert all((row["rank"] == 1) == (row["guess"] == row["character"]) for row in rows[1:])


def test_per_byte(call: Call, bytes_model: Path, tmp_path: Path) -> None:
    path = tmp_path / "bytes.bin"
    path.write_bytes(b"a\xff\x00")
    rows = [json.loads(line) for line in call("score", bytes_model, path, "--per-character").out.splitlines()]
    assert [row["byte"] for row in rows] == [97, 255, 0]
    assert isinstance(rows[1]["guess"], int)


def test_documents(call: Call, trained: Path, held: Path, text: Path) -> None:
    found = json.loads(call("score", trained, text, "--documents", "lines", "--json", "--also", held).out)
    rows, lines = found["documents"], list(load(trained).score_lines(TEXT))
    assert [row["line"] for row in rows] == [1, 3]
    assert [row["nats_by_model"][0] for row in rows] == [line.score.nats for line in lines]
    assert found["nats"] == math.fsum(line.score.nats for line in lines)
    assert found["characters"] == len(TEXT) - 1  # the empty line is no document
    for row in rows:
        names = [str(trained), str(held)]
        assert row["model"] == names[row["nats_by_model"].index(min(row["nats_by_model"]))]
        assert row["nats"] == min(row["nats_by_model"])
    out = call("score", trained, text, "--documents", "lines", "--also", held).out
    assert f"{trained} gives " in out
    assert "the least likely lines:" in out


def test_lines_of_bytes_are_shown_as_text(call: Call, bytes_model: Path, tmp_path: Path) -> None:
    path = tmp_path / "some.txt"
    path.write_text("böse\nböse\n日\n", encoding="utf-8")
    found = json.loads(call("score", bytes_model, path, "--documents", "lines", "--json").out)
    assert [row["text"] for row in found["documents"]] == ["böse", "böse", "日"]
    assert found["characters"] == 5 + 1 + 5 + 1 + 3 + 1
    out = call("score", bytes_model, path, "--documents", "lines").out
    assert out.count("böse") == 1  # of equal lines the first


def test_text_is_read_from_standard_input(call: Call, trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"A small book")))
    assert json.loads(call("score", trained, "-", "--json").out)["nats"] == load(trained).score("A small book").nats


def test_no_text_and_wrong_texts(call: Call, trained: Path, tmp_path: Path) -> None:
    (tmp_path / "empty.txt").touch()
    assert "error: an empty text has no score." in call("score", trained, "empty.txt").err
    assert call("score", trained, "nowhere.txt").code == 3
    assert call("score", "nowhere", "empty.txt").code == 4
    (tmp_path / "some.txt").write_text("some")
    code, _, err = call("score", trained, "some.txt", "--encoding", "bytes")
    assert code == 3
    assert "the text is read as bytes, but a model reads characters." in err


def test_model_trained_on_lines_scores_each_line(call: Call, book: Path, tmp_path: Path) -> None:
    options = ["--preset", "small", "--cell", "elman", "--hidden-size", "8", "--updates", "5", "--batch-size", "4"]
    assert call("train", book, *options, "--documents", "lines", "--run", tmp_path / "lines", "--no-proof").code == 0
    own, lines, none = (
        json.loads(call("score", tmp_path / "lines", "--json", *options).out)
        for options in ([], ["--documents", "lines"], ["--documents", "none"])
    )
    assert own["notes"] == [
        "the model was trained on separate lines and scores each alone; `--documents none` scores all as one text"
    ]
    assert lines["notes"] == []
    assert own["nats"] == lines["nats"] == math.fsum(row["nats"] for row in own["documents"])
    summary = json.loads((tmp_path / "lines" / "summary.json").read_text())
    assert own["nats_per_character"] == pytest.approx(summary["validation_nats_per_character"], rel=1e-12)
    assert none["notes"] == ["a model was trained on separate lines, but reads the text as a whole here"]
    assert "documents" not in none
    assert none["nats"] != own["nats"]

    rows = [json.loads(row) for row in call("score", tmp_path / "lines", "--per-character").out.splitlines()]
    assert all(row["rank"] for row in rows)  # the first character is predicted too
    dynamic = json.loads(call("score", tmp_path / "lines", "--dynamic", "--dynamic-rate", "0", "--json").out)
    assert dynamic["nats"] == dynamic["dynamic"]["nats"] == math.fsum(row["nats"] for row in rows)


def test_progress_is_shown_after_a_delay(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    clock = iter(range(100))
    monkeypatch.setattr("time.perf_counter", lambda: next(clock))
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    with score_output.progress() as show:
        for done in (10, 20, 30, 40, 10, 20, 30):  # the same model twice
            show("runs/ab", done, 40)
    shown = terminal.getvalue()
    assert "\r\x1b[Kruns/ab: 50 %, 10 characters/s, 2.0 s left" in shown
    assert shown.endswith("\r\x1b[K")


def test_baselines_use_beginning_of_long_text(
    call: Call, trained: Path, text: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recurra.inference.baselines.MAX_BASELINE_CHARACTERS", 20)
    found = json.loads(call("score", trained, text, "--baselines", "--json").out)
    assert found["notes"] == ["the baselines use only the first 20 characters"]
    assert found["baselines"]["uniform"] == math.log2(len(set(TEXT[:20])))


def test_infinite_perplexity_is_null_in_json(call: Call, trained: Path, text: Path) -> None:
    assert Score(1, 1e6).perplexity == math.inf
    assert json.loads(call("score", trained, text, "--json").out)["perplexity"] < 1e6
