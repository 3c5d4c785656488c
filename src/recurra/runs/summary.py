"""The summary of a run: the keys of summary.json, and the findings that the report shows."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from recurra.inference.baselines import MAX_BASELINE_CHARACTERS, baselines
from recurra.network.gradient_check import MAX_MULTIPLICATIONS, Progress, ignore_progress
from recurra.network.parameters import count, digest
from recurra.network.state import map_state
from recurra.runs import gradient_proof
from recurra.runs.findings import copied_passages, held_out_results, sample_marks
from recurra.runs.logs import samples
from recurra.system.system_info import peak_memory
from recurra.text.id_file import Ids
from recurra.text.splits import PreparedText
from recurra.text.text import Text
from recurra.training.divergence import has_diverged, rate_to_try
from recurra.training.trainer import Trainer

BEST_SAMPLE_LENGTH = 1000
PROOF_LIMIT = 50_000  # parameters; of a larger network `recurra check` checks a sample
PROOF_WORK = MAX_MULTIPLICATIONS  # of the proof of a smaller one, whose sequences may be long


def summary(folder: Path, trainer: Trainer) -> dict[str, Any]:
    """The keys of `train --json` that a training which was stopped has too."""
    history, best = trainer.history, trainer.best
    assert best is not None  # noqa: S101 - a checkpoint was made
    rate = trainer.update / trainer.seconds if trainer.seconds else 0.0
    means = history.epoch_means
    best_smooth = best.progress["history"]["smooth"]
    return {
        "run": str(folder),
        "cell": trainer.config.cell,
        "parameters": count(trainer.initial),
        "updates": trainer.update,
        "out_of_patience": trainer.out_of_patience,
        "out_of_time": trainer.out_of_time,
        "planned_updates": trainer.planned,
        "epochs": trainer.update / trainer.stream.updates_per_epoch,
        "characters_per_update": trainer.characters_per_update,
        "updates_per_second": rate,
        "characters_per_second": rate * trainer.characters_per_update,
        "smooth_loss": history.smooth,
        "best_smooth_loss": best_smooth,
        "best_update": best.update,
        "epoch_mean_nats_per_character": means[-1] if means else None,
        "epoch_means": [{"epoch": n, "nats_per_character": mean} for n, mean in history.numbered_means()],
        **_in_nats_and_bits("validation", trainer.validation_loss),
        **_divergence(trainer),
        "model_sha256": digest(trainer.engine.parameters()),
        "seconds": trainer.seconds,
        "peak_memory_bytes": peak_memory(),
    }


def _in_nats_and_bits(name: str, loss: float | None) -> dict[str, float | None]:
    bits = None if loss is None else loss / math.log(2)
    return {f"{name}_nats_per_character": loss, f"{name}_bits_per_character": bits}


def _divergence(trainer: Trainer) -> dict[str, Any]:
    """Return whether the last losses are worse than those of a uniform guess, and the learning rate to try if so."""
    recent, symbols = trainer.recent_loss, len(trainer.vocabulary)
    diverged = recent is not None and has_diverged(trainer.training, trainer.update, recent, symbols)
    return {
        "recent_nats_per_character": recent,
        "uniform_nats_per_character": math.log(symbols),
        "rate_to_try": rate_to_try(trainer.training) if diverged else None,
    }


def findings(
    folder: Path, trainer: Trainer, learned: PreparedText, *, proof_wanted: bool, progress: Progress = ignore_progress
) -> dict[str, Any]:
    """What the report shows besides the run itself, in keys beside those of `summary`: minutes for a long text.

    The last samples, the losses of the parts held out and of the test, the proof of the gradients, whose `progress` is
    shown, the baselines, and what `training.findings` has.
    """
    assert trainer.best is not None  # noqa: S101 - a checkpoint was made
    best, text, seed = trainer.best.model, learned.text, trainer.sample_seed
    train_ids, _, test_ids = learned.parts
    first, second = learned.held_out
    written = {
        "best_sample": best.sample(max_new_tokens=BEST_SAMPLE_LENGTH, seed=seed),
        "final_sample": trainer.model().sample(max_new_tokens=BEST_SAMPLE_LENGTH, seed=seed),
    }
    on_the_way = samples(folder)
    checked = trainer.update > 0 and proof_wanted and count(trainer.initial) <= PROOF_LIMIT
    tested = trainer.final_loss(test_ids) if len(test_ids) > 1 else None
    scores = _in_nats_and_bits("validation", trainer.final_validation_loss()) | _in_nats_and_bits("test", tested)
    return {
        **scores,
        **written,
        "baselines": _baselines(text, 0, first),
        "held_out_baselines": _baselines(text, first, second) if trainer.has_validation else None,
        "baseline_limit": MAX_BASELINE_CHARACTERS if max(first, second - first) > MAX_BASELINE_CHARACTERS else None,
        "gradient_check": _proof(trainer, train_ids, progress) if checked else None,
        **held_out_results.figures(best, learned),
        **copied_passages.figures(written, on_the_way, text, best.vocabulary),
        "sample_marks": sample_marks.mark(on_the_way, text),
    }


def _baselines(text: Text, start: int, stop: int) -> dict[str, float]:
    """Those of the characters `start` to `stop`, or of the first of them: more would take many minutes."""
    return baselines(text.part(start, min(stop, start + MAX_BASELINE_CHARACTERS)), is_bytes=text.is_bytes)


def _proof(trainer: Trainer, ids: Ids, progress: Progress) -> dict[str, Any]:
    """The gradient check on the first sequence of the text, at the initial weights and where training ended."""
    T = trainer.training.sequence_length
    first = map_state(lambda field: field[:, :1], trainer.engine.state())
    bounded: gradient_proof.Bounds = {"work": PROOF_WORK, "seed": trainer.training.seed, "progress": progress}
    return gradient_proof.figures(
        trainer.config, trainer.initial, trainer.engine.parameters(), ids[: T + 1], first, **bounded
    )
