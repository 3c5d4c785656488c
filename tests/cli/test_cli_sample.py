"""`recurra sample`: exact output, escaped on a terminal, and equal for equal seeds."""

import dataclasses
import io
import json
import re
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from calling import Call
from processes import ended, started
from recurra import LanguageModel, ModelConfig, Vocabulary, load
from recurra.cli import sample_output
from recurra.inference.novelty import novelty, to_table
from recurra.inference.sampling import SamplingConfig
from recurra.network.parameters import initialize


@pytest.fixture
def bytes_model(tmp_path: Path) -> Path:
    """A model of bytes that writes every byte."""
    config = ModelConfig(hidden_size=4)
    path = tmp_path / "bytes.safetensors"
    LanguageModel(config, Vocabulary.bytes(), initialize(config, 256, seed=0)).save(path)
    return path


def test_stdout_has_the_text_and_a_newline(call: Call, trained: Path) -> None:
    code, out, err = call("sample", trained, "--max-new-tokens", 30, "--seed", 3, "--temperature", 0.5)
    assert (code, err) == (0, "")
    assert out == load(trained).sample(max_new_tokens=30, seed=3, temperature=0.5) + "\n"


def test_the_same_seed_writes_the_same_text(call: Call, trained: Path) -> None:
    first = call("sample", trained, "--seed", 1)
    assert first == call("sample", trained, "--seed", 1)
    assert first.out != call("sample", trained, "--seed", 2).out
    assert call("sample", trained) == call("sample", trained, "--seed", 0)


def test_several_texts_have_the_seeds_that_follow(call: Call, trained: Path) -> None:
    texts = [call("sample", trained, "--seed", seed, "--max-new-tokens", 20).out for seed in (5, 6, 7)]
    many = call("sample", trained, "--seed", 5, "--max-new-tokens", 20, "--num-return-sequences", 3)
    assert many.out == "\n".join(texts)
    found = json.loads(
        call("sample", trained, "--seed", 5, "--max-new-tokens", 20, "--num-return-sequences", 3, "--json").out
    )
    assert found["texts"] == [text[:-1] for text in texts]
    assert found["seed"] == 5


def test_json(call: Call, trained: Path) -> None:
    code, out, err = call("sample", trained, "--prompt", "A small ", "--max-new-tokens", 25, "--json")
    assert (code, err) == (0, "")
    found = json.loads(out)
    assert set(found) == {"prompt", "seed", "texts", "ended", "characters_per_second"}
    assert found["ended"] == ["length"]
    assert found["prompt"] == "A small "
    assert [len(text) for text in found["texts"]] == [25]
    assert found["characters_per_second"] > 0


def test_the_prompt_is_read_and_not_repeated(call: Call, trained: Path) -> None:
    text = load(trained).sample("A small book", max_new_tokens=12)
    assert call("sample", trained, "--prompt", "A small book", "--max-new-tokens", 12).out == text + "\n"


def test_prompt_is_read_from_standard_input(call: Call, trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"A small book")))
    piped = call("sample", trained, "--prompt", "-", "--json")
    given = call("sample", trained, "--prompt", "A small book", "--json")
    assert json.loads(piped.out)["texts"] == json.loads(given.out)["texts"]


@pytest.mark.parametrize("prompt", ["- a", "--json", "-1", "--max-new-tokens"])
def test_prompt_may_begin_with_a_dash(call: Call, trained: Path, prompt: str) -> None:
    code, out, err = call("sample", trained, "--prompt", prompt, "--max-new-tokens", 5, "--json")
    assert code == 0
    assert json.loads(out)["prompt"] == prompt
    assert err.startswith("warning: the vocabulary of the model lacks '-' (U+002D)")


def test_unknown_characters_are_removed_with_warning(call: Call, trained: Path) -> None:
    code, out, err = call("sample", trained, "--prompt", "A ß日smallß", "--max-new-tokens", 12)
    assert code == 0
    assert err == "warning: the vocabulary of the model lacks 'ß' (U+00DF), '日' (U+65E5); removed from the prompt.\n"
    assert out == call("sample", trained, "--prompt", "A small", "--max-new-tokens", 12).out


def test_nothing_to_write(call: Call, trained: Path) -> None:
    assert call("sample", trained, "--max-new-tokens", 0) == (0, "\n", "")


def test_defaults_in_the_help_are_the_true_ones(call: Call) -> None:
    out = " ".join(call("sample", "--help").out.replace("│", " ").split())
    for field in dataclasses.fields(SamplingConfig):
        option = re.split(r"--[a-z]", out.partition(f"--{field.name.replace('_', '-')} ")[2])[0]
        assert option
        if isinstance(field.default, int | float):
            assert f"[default: {field.default}]" in option


def test_bytes_go_raw_into_a_pipe(bytes_model: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    from recurra.cli import main

    assert main(["sample", str(bytes_model), "--max-new-tokens", "300"]) == 0
    out, _ = capfdbinary.readouterr()
    assert len(out) == 301
    symbols = "".join(load(bytes_model).stream("", SamplingConfig(max_new_tokens=300)))
    assert out == symbols.encode("latin-1") + b"\n"
    assert len(set(out)) > 100


def test_json_of_model_of_bytes_has_decoded_text(call: Call, bytes_model: Path) -> None:
    found = json.loads(call("sample", bytes_model, "--max-new-tokens", 50, "--json").out)
    assert found["texts"] == [load(bytes_model).sample(max_new_tokens=50)]


def test_bytes_are_shown_as_whole_characters_to_a_terminal() -> None:
    bytes_only: Any = SimpleNamespace(vocabulary=Vocabulary.bytes())
    symbols = "aé日\x1b[31m".encode().decode("latin-1")
    shown = b"".join(sample_output.terminal_text(bytes_only, iter(symbols + "\xe9")))
    assert shown.decode() == "aé日\\x1b[31m\ufffd"


def test_closed_pipe_ends_sampling_quietly(trained: Path, command: list[str], environment: dict[str, str]) -> None:
    line = " ".join([*command, "sample", str(trained), "--max-new-tokens 10000000 | head -c 10"])
    done = subprocess.run(["sh", "-c", line], capture_output=True, env=environment, check=True)
    assert len(done.stdout) == 10
    assert done.stderr == b""


def test_text_is_written_while_it_is_generated(trained: Path, command: list[str], environment: dict[str, str]) -> None:
    line = [*command, "sample", str(trained), "--max-new-tokens", "100000000"]
    with started(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment) as process:
        assert process.stdout is not None
        assert len(process.stdout.read(50)) == 50
        process.send_signal(2)
        assert ended(process) == (130, "interrupted.\n")


def test_all_settings_reach_the_sampler(call: Call, trained: Path) -> None:
    settings: dict[str, Any] = {
        "max_new_tokens": 40,
        "temperature": 1.3,
        "top_k": 9,
        "top_p": 0.9,
        "min_p": 0.01,
        "repetition_penalty": 1.1,
        "seed": 3,
        "num_return_sequences": 3,
        "best_of": 2,
        "allow": "abdefimnorstwy ",
        "ban": "y",
    }
    options = [part for name, value in settings.items() for part in (f"--{name.replace('_', '-')}", value)]
    found = json.loads(call("sample", trained, *options, "--stop", "er", "--stop=o w", "--json").out)
    expected = load(trained).samples(**settings, stop=["er", "o w"])
    assert found["texts"] == [sample.symbols for sample in expected]
    assert found["ended"] == [sample.ended for sample in expected]
    piped = call("sample", trained, *options, "--stop", "er", "--stop=o w").out
    assert piped == "\n".join(sample.symbols + "\n" for sample in expected)


def test_stop_string_may_begin_with_a_dash(call: Call, trained: Path) -> None:
    assert call("sample", trained, "--stop", "--json", "--ban", "-s", "--max-new-tokens", 5).code == 0


def test_prompt_is_read_from_file(call: Call, trained: Path, tmp_path: Path) -> None:
    path = tmp_path / "prompt.txt"
    path.write_bytes(b"A small book")
    found = json.loads(call("sample", trained, "--prompt-file", path, "--json").out)
    assert found["prompt"] == "A small book"
    assert found["texts"] == [load(trained).sample("A small book")]
    code, _, err = call("sample", trained, "--prompt-file", tmp_path / "none")
    assert code == 3
    assert "none" in err


def test_log_probabilities(call: Call, trained: Path) -> None:
    found = json.loads(call("sample", trained, "--num-return-sequences", 2, "--logprobs", "--json").out)
    samples = load(trained).samples(num_return_sequences=2)
    assert found["log_probabilities"] == [sample.log_probabilities.tolist() for sample in samples]
    assert all(log < 0 for logs in found["log_probabilities"] for log in logs)


def test_copied_passages_are_listed(call: Call, trained: Path, book: Path) -> None:
    options = ("sample", trained, "--temperature", 0, "--max-new-tokens", 30, "--novelty")
    code, out, err = call(*options)
    assert code == 0
    text = load(trained).sample(temperature=0, max_new_tokens=30)
    assert out == text + "\n"
    found = novelty(text, book.read_text())
    assert f"the longest has {found.longest} character" in err
    assert f"{found.passages[0].length}" in err
    assert re.search(r"n +1 +2 +3", err)
    (table,) = json.loads(call(*options, "--json").out)["novelty"]
    assert table == to_table(found)
    (nothing,) = json.loads(call("sample", trained, "--novelty", "--max-new-tokens", 0, "--json").out)["novelty"]
    assert nothing is None
    assert "no passage is copied" in call("sample", trained, "--novelty", "--max-new-tokens", 0).err


def test_given_training_text_is_used(call: Call, trained: Path, tmp_path: Path) -> None:
    checkpoint = tmp_path / "copy.safetensors"
    checkpoint.write_bytes(next((trained / "checkpoints").glob("update-*")).read_bytes())
    (tmp_path / "other.txt").write_text("xyzzy " * 50)
    code, _, err = call("sample", checkpoint, "--novelty")
    assert (code, err.count("cannot be read again: the run has no record of its files")) == (3, 1)
    assert "hint: add `--training-text` with the training text." in err
    found = json.loads(call("sample", checkpoint, "--novelty", "--training-text", "other.txt", "--json").out)
    assert found["novelty"][0]["longest"] <= 2


def test_changed_or_missing_training_text_is_error(call: Call, trained: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(trained, run)
    settings, source = run / "run.toml", tmp_path / "book.txt"
    (before,) = re.findall(r'source = \[\s*"(.*)",?\s*\]', settings.read_text())
    settings.write_text(settings.read_text().replace(before, str(source)))
    source.write_text("another book")
    assert f"the text of `{run}` has changed" in call("sample", run, "--novelty").err
    source.unlink()
    assert call("sample", run, "--novelty").code == 3
    settings.write_text(settings.read_text().replace(str(source), "-"))
    assert f"the text of `{run}` cannot be read again: it was standard input." in call("sample", run, "--novelty").err


def test_interactive_session_in_a_pipe_writes_only_texts(
    call: Call, trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"A small\n\nof few\r\nA")))
    code, out, err = call("sample", trained, "--interactive", "--max-new-tokens", 9, "--seed", 4)
    model = load(trained)
    texts = [model.sample(p, max_new_tokens=9, seed=4 + n) for n, p in enumerate(["A small", "", "of few", "A"])]
    assert (code, out, err) == (0, "\n".join(text + "\n" for text in texts), "")
