"""Samples of a training begin with one fixed text."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import recurra
from recurra.config import TrainingConfig
from recurra.errors import UsageError

TEXT = "In the beginning was a small book, and none said: let it be read.\n" * 20
SETTINGS: dict[str, Any] = {
    "hidden_size": 8, "sequence_length": 5, "updates": 40, "sample_every": 20, "sample_length": 9, "report": False,
    "proof": False,
}  # fmt: skip


def samples(folder: Path) -> list[str]:
    return [json.loads(line)["text"] for line in (folder / "samples.jsonl").read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("prompt", ["I", "none", "the"])
def test_every_sample_continues_the_prompt(tmp_path: Path, prompt: str) -> None:
    run = recurra.train(text=TEXT, run=tmp_path / "run", sample_prompt=prompt, **SETTINGS)
    texts = samples(tmp_path / "run")
    assert len(texts) == 3
    assert all(text.startswith(prompt) and len(text) == len(prompt) + 9 for text in texts)
    last = run.model.sample(prompt, max_new_tokens=9, seed=40)
    assert texts[-1] == prompt + last


def test_changed_sample_prompt_does_not_change_training(tmp_path: Path) -> None:
    plain = recurra.train(text=TEXT, run=tmp_path / "plain", **SETTINGS)
    begun = recurra.train(text=TEXT, run=tmp_path / "begun", sample_prompt="b", **SETTINGS)
    assert begun.summary["model_sha256"] == plain.summary["model_sha256"]
    more = SETTINGS | {"updates": 60}
    recurra.train(text=TEXT, run=tmp_path / "begun", resume=True, sample_prompt="s", **more)
    assert samples(tmp_path / "begun")[-1].startswith("s")


def test_characters_that_the_text_lacks_are_refused_before_a_run_exists(tmp_path: Path) -> None:
    with pytest.raises(
        UsageError, match=r"^`sample_prompt` has 'Z' \(U\+005A\), which the vocabulary of the model lacks\."
    ) as caught:
        recurra.train(text=TEXT, run=tmp_path / "run", sample_prompt="Zn", **SETTINGS)
    assert caught.value.hint is not None
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("value", ["\ud800", "a\0", "a" * 1001, 3, None])
def test_invalid_sample_prompt_is_refused(value: Any) -> None:
    with pytest.raises(UsageError, match=r"^`sample_prompt` must be a text of at most 1,000 characters"):
        TrainingConfig(sample_prompt=value)


def test_the_word_none_is_a_prompt() -> None:
    config = TrainingConfig(sample_prompt="none")
    assert TrainingConfig.from_table(config.to_table()) == config
