"""The input of a training, new or resumed: settings, text and the state from which it starts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from recurra.config import ModelConfig, TrainingConfig
from recurra.model import LanguageModel
from recurra.text.splits import PreparedText
from recurra.training.snapshot import ResumePoint


@dataclass(frozen=True)
class Task:
    """The settings, the text and the start of a training; `text` is the text's table in run.toml.

    `start` is the trained model from which the training began, if any. `resumed` is the state to resume from.
    """

    config: ModelConfig
    training: TrainingConfig
    prepared_text: PreparedText
    text: dict[str, Any]
    start: LanguageModel | None = None
    resumed: ResumePoint | None = None
