"""The summary of a run: the keys of summary.json, and the findings for the report.

The result to quote is `validation_nats_per_character`: the loss of the best model on the held-out text. `smooth_loss`
averages the losses on the training text at the end; `best_smooth_loss` is the same average at the best model's update.
"""

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
PROOF_LIMIT = 50_000  # most parameters for a check at the end; `recurra check` checks a sample of a larger network
PROOF_WORK = MAX_MULTIPLICATIONS  # most multiplications of this check, which limit it if the sequences are long


def summary(folder: Path, trainer: Trainer) -> dict[str, Any]:
    """Return the keys of summary.json that come from the trainer; a stopped training has them too."""
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
    """Return the last loss, the loss of a uniform guess, and if the last loss is clearly higher, a rate to try."""
    recent, symbols = trainer.recent_loss, len(trainer.vocabulary)
    diverged = recent is not None and has_diverged(trainer.training, trainer.update, recent, symbols)
    return {
        "recent_nats_per_character": recent,
        "uniform_nats_per_character": math.log(symbols),
        "rate_to_try": rate_to_try(trainer.training) if diverged else None,
    }


def findings(
    folder: Path, trainer: Trainer, prepared: PreparedText, *, with_proof: bool, progress: Progress = ignore_progress
) -> dict[str, Any]:
    """Compute the keys of summary.json that a report needs besides the keys of `summary`; a long text takes minutes.

    They are the samples of the best and the final model, the validation and test loss, the gradient check, the
    baselines, and the keys of `runs.findings`. `progress` is called during the gradient check.
    """
    assert trainer.best is not None  # noqa: S101 - a checkpoint was made
    best, text, seed = trainer.best.model, prepared.text, trainer.sample_seed
    train_ids, _, test_ids = prepared.parts
    first, second = prepared.held_out
    last_samples = {
        "best_sample": best.sample(max_new_tokens=BEST_SAMPLE_LENGTH, seed=seed),
        "final_sample": trainer.model().sample(max_new_tokens=BEST_SAMPLE_LENGTH, seed=seed),
    }
    training_samples = samples(folder)
    is_checked = trainer.update > 0 and with_proof and count(trainer.initial) <= PROOF_LIMIT
    test_loss = trainer.final_loss(test_ids) if len(test_ids) > 1 else None
    scores = _in_nats_and_bits("validation", trainer.final_validation_loss()) | _in_nats_and_bits("test", test_loss)
    return {
        **scores,
        **last_samples,
        "baselines": _baselines(text, 0, first),
        "held_out_baselines": _baselines(text, first, second) if trainer.has_validation else None,
        "baseline_limit": MAX_BASELINE_CHARACTERS if max(first, second - first) > MAX_BASELINE_CHARACTERS else None,
        "gradient_check": _proof(trainer, train_ids, progress) if is_checked else None,
        **held_out_results.figures(best, prepared),
        **copied_passages.figures(last_samples, training_samples, text, best.vocabulary),
        "sample_marks": sample_marks.mark(training_samples, text),
    }


def _baselines(text: Text, start: int, stop: int) -> dict[str, float]:
    """Return the baselines on the characters `start` to `stop`, at most the first `MAX_BASELINE_CHARACTERS`."""
    return baselines(text.part(start, min(stop, start + MAX_BASELINE_CHARACTERS)), is_bytes=text.is_bytes)


def _proof(trainer: Trainer, ids: Ids, progress: Progress) -> dict[str, Any]:
    """Check the gradients on the first sequence of the text, with the initial and with the final parameters."""
    T = trainer.training.sequence_length
    first = map_state(lambda field: field[:, :1], trainer.engine.state())
    bounded: gradient_proof.Bounds = {"work": PROOF_WORK, "seed": trainer.training.seed, "progress": progress}
    return gradient_proof.figures(
        trainer.config, trainer.initial, trainer.engine.parameters(), ids[: T + 1], first, **bounded
    )
