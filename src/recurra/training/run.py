"""The run folder, and `train`: text in, a trained model and the record of its training out."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import json
import math
import os
import platform
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from types import FrameType
from typing import Any

import tomli_w

from recurra import tensor_file
from recurra.config import ModelConfig, TrainingConfig
from recurra.errors import Interrupted, TextError, UsageError
from recurra.inference import baselines
from recurra.model import LanguageModel
from recurra.network.parameters import count, digest
from recurra.network.state import map_state
from recurra.text.decoding import Text
from recurra.text.id_file import Ids, translated
from recurra.text.reading import Source, from_string, read, require_learnable
from recurra.text.streams import split
from recurra.text.vocabulary import Vocabulary, name_characters
from recurra.training import checkpoint, events, proof
from recurra.training.budget import updates_within
from recurra.training.checkpoint import CheckpointFolder, Snapshot
from recurra.training.events import Event
from recurra.training.trainer import Trainer, newline_of, stream_of

Listener = Callable[[Event], None]
Announce = Callable[[Text, Vocabulary, Trainer, Path], None]
RUNS = Path("runs")
SETTINGS, METRICS, TIMINGS, SAMPLES = "run.toml", "metrics.jsonl", "timings.jsonl", "samples.jsonl"
SUMMARY, REPORT = "summary.json", "report.html"
OURS = (SETTINGS, METRICS, TIMINGS, SAMPLES, SUMMARY, REPORT)
BEST_SAMPLE_LENGTH = 1000
PROOF_LIMIT = 50_000  # parameters; more of them take minutes to check one by one
BASELINE_LIMIT = 1 << 23  # characters, of a text's beginning, that the baselines are measured on
PACKAGES = ("recurra", "numpy", "numba", "llvmlite", "safetensors", "matplotlib")


@dataclass(frozen=True)
class Run:
    """What `train` gives back: the best `model`, the run's `folder`, and `summary`, the keys of `train --json`."""

    model: LanguageModel
    folder: Path
    summary: dict[str, Any]


def train(
    sources: Source | Sequence[Source] = (),
    *,
    text: str | Text | None = None,
    start: LanguageModel | None = None,
    run: str | Path | None = None,
    force: bool = False,
    model: ModelConfig | None = None,
    training: TrainingConfig | None = None,
    encoding: str = "utf-8",
    with_proof: bool = True,
    listeners: Sequence[Listener] = (),
    announce: Announce | None = None,
) -> Run:
    """Train on `sources` (see `text.reading.read`; none: the default book) or on `text`, in the folder `run`.

    A model to `start` from gives its characters and parameters; `model` must be its network. With a time limit the
    updates that fit in it are measured, and stand in run.toml.
    Every event of the trainer goes to the files of the run folder and to `listeners`; `announce` is told of text,
    trainer and folder before the first. Unless `with_proof` is false, the gradients are checked at the end, at the
    initial and the trained weights.
    SIGINT and SIGTERM, where this is the main thread, end training after a checkpoint with `Interrupted`.
    """
    config, training = model or ModelConfig(), training or TrainingConfig()
    learned = read_text(sources, text, encoding)
    held_out = {"validation": training.validation, "test": training.test}
    T, B = (training.sequence_length, training.batch_size) if training.documents is None else (1, 1)
    require_learnable(learned, T, B, **held_out)
    vocabulary, ids = _encoded(learned, start)
    newline = newline_of(training, vocabulary)
    if newline is not None:
        ids = ids[:]  # lines are sorted by length: in memory
    parts = split(ids, **held_out, newline=newline)
    train_ids, validation_ids, _ = parts
    if training.time_limit is not None:
        stream = stream_of(training, train_ids, newline)
        fitting = updates_within(training.time_limit, config, training, vocabulary, stream, validation_ids)
        training = dataclasses.replace(training, updates=fitting)
    settings = {"training": training.to_table(), "text": _text_table(learned, vocabulary)}

    def commit(snapshot: Snapshot, best: Snapshot | None) -> Path:
        return checkpoints.commit(snapshot, settings, best)

    with _stop_signals() as stop:
        trainer = Trainer(
            config,
            training,
            vocabulary,
            train_ids,
            validation_ids,
            start=None if start is None else start.parameters,
            commit=commit,
            should_stop=lambda: bool(stop),
        )
        folder = prepare_folder(run, learned.name, force=force)  # not before all settings proved good
        checkpoints = CheckpointFolder(folder, training.keep)
        _write_settings(folder, config, trainer, settings, learned.source)
        if announce is not None:
            announce(learned, vocabulary, trainer, folder)
        _follow(trainer, [_Files(folder), *listeners])
        summary = _summary(folder, trainer)
        _write_json(folder / SUMMARY, summary)
        if trainer.stopped:
            raise Interrupted(
                f"stopped by {signal.Signals(stop[0]).name} at update {trainer.update:,}; the checkpoint is saved in "
                f"`{folder}`.",
                signal=stop[0],
            )
    assert trainer.best is not None  # noqa: S101 - a checkpoint was made
    summary |= _findings(trainer, learned, parts, proof_wanted=with_proof)
    _write_json(folder / SUMMARY, summary)
    return Run(trainer.best.model, folder, summary)


def prepare_folder(run: str | Path | None, name: str, *, force: bool) -> Path:
    """The folder for a new run: `run`, or else runs/NAME, runs/NAME-2, …; with `force` an old run there is removed."""
    folder = RUNS / name if run is None else Path(run)
    try:
        if run is None and not force:
            return _new_folder(folder)
        if folder.exists() and not folder.is_dir():
            raise UsageError(f"`{folder}` is no folder.", hint="give another `--run`.")
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            if not force:
                raise UsageError(
                    f"`{folder}` is not empty.", hint="give another `--run`, or `--force` to train there anew."
                )
            _remove_run(folder)
    except OSError as error:
        raise tensor_file.storage_error(folder, error) from error
    return folder


def _new_folder(folder: Path) -> Path:
    """Make `folder`, else FOLDER-2, … : the first that is not there, and that no other process makes just now."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    for number in itertools.count(1):
        numbered = folder if number == 1 else folder.with_name(f"{folder.name}-{number}")
        with contextlib.suppress(FileExistsError):
            numbered.mkdir()
            return numbered
    raise AssertionError  # there is always a next number


def _remove_run(folder: Path) -> None:
    """Remove the files of a run, and nothing else that may lie in its folder."""
    for name in OURS:
        (folder / name).unlink(missing_ok=True)
    tensor_file.sweep(folder)
    checkpoint.remove(folder)


def read_text(sources: Source | Sequence[Source], text: str | Text | None, encoding: str) -> Text:
    """The text of `sources`, or `text` in their place."""
    if text is None:
        return read(sources, encoding)
    if sources:
        raise UsageError("give either a text to read or `text`, not both.")
    return text if isinstance(text, Text) else from_string(text, encoding=encoding)


def _encoded(text: Text, start: LanguageModel | None) -> tuple[Vocabulary, Ids]:
    """The vocabulary, that of the model to start from or else the text's own, and the text's ids in it."""
    own = text.vocabulary
    if start is None:
        return own, text.ids
    known = start.vocabulary
    if known.is_bytes != own.is_bytes:
        raise TextError(
            f"the model to start from reads {'bytes' if known.is_bytes else 'characters'}, the text is the other kind.",
            hint="give `--encoding bytes`." if known.is_bytes else "leave out `--encoding bytes`.",
        )
    unknown = "".join(sorted(set(own.symbols) - set(known.symbols)))
    if unknown:
        raise TextError(
            f"the model to start from does not know {name_characters(unknown)} of the text.",
            hint="add them with `--extend-vocabulary`, or take these characters out.",
        )
    return known, translated(text.ids, known.encode(own.symbols))


def _follow(trainer: Trainer, listeners: Sequence[Listener]) -> None:
    for event in trainer.events():
        for listener in listeners:
            listener(event)


class _Files:
    """The listener that writes metrics.jsonl, timings.jsonl and samples.jsonl, a line an event."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seconds = 0.0
        for name in (METRICS, TIMINGS, SAMPLES):
            self._append(name, [])

    def __call__(self, event: Event) -> None:
        match event:
            case events.Record():
                self._append(METRICS, [asdict(event)])
            case events.Sampled():
                self._append(SAMPLES, [asdict(event)])
            case events.Progress():
                self._time(event)
            case _:
                pass

    def _time(self, event: events.Progress) -> None:
        if event.update < event.updates and event.seconds < self._seconds + 1:
            return
        self._seconds = event.seconds
        rate = event.update / event.seconds if event.seconds else 0.0
        row = {"update": event.update, "seconds": event.seconds, "updates_per_second": rate}
        self._append(TIMINGS, [row | {"peak_memory_bytes": peak_memory()}])

    def _append(self, name: str, rows: list[dict[str, Any]]) -> None:
        path = self._folder / name
        try:
            with path.open("a", encoding="utf-8") as file:
                file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        except OSError as error:
            raise tensor_file.storage_error(path, error) from error


def peak_memory() -> int | None:
    """The largest resident memory of this process so far, in bytes; None where the system does not say."""
    try:
        import resource
    except ImportError:
        return None
    scale = 1 if platform.system() == "Darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale


@contextlib.contextmanager
def _stop_signals() -> Iterator[list[int]]:
    """A list that SIGINT or SIGTERM is put into; a second one has its usual effect."""
    received: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield received
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)  # None: not set by Python

    def receive(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - a handler's signature
        received.append(number)
        restore()

    for number in before:
        signal.signal(number, receive)
    try:
        yield received
    finally:
        restore()


def _text_table(text: Text, vocabulary: Vocabulary) -> dict[str, Any]:
    return {
        "name": text.name,
        "encoding": text.encoding,
        "characters": len(text),
        "symbols": len(vocabulary),
        "sha256": text.sha256,
        "notes": [*text.notes, "the vocabulary is that of the whole text, a held-out part included"],
    }


def _write_settings(
    folder: Path, config: ModelConfig, trainer: Trainer, settings: dict[str, Any], source: Sequence[str]
) -> None:
    table = {
        "model": config.to_table() | {"parameters": count(trainer.initial)},
        "training": settings["training"],
        "text": settings["text"] | {"source": list(source)},  # a user's paths stay out of checkpoints
        "engine": {"name": trainer.engine.name},
        "versions": versions(),
        "machine": machine(),
    }
    path = folder / SETTINGS
    try:
        tensor_file.write_bytes(path, tomli_w.dumps(table).encode())
    except OSError as error:
        raise tensor_file.storage_error(path, error) from error


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that the numbers depend on."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[package] = metadata.version(package)
    return found


def machine() -> dict[str, Any]:
    """What the run was trained on, without naming the host."""
    from llvmlite import binding

    return {
        "system": f"{platform.system()} {platform.machine()}",
        "cpu": str(binding.get_host_cpu_name()),
        "cores": os.cpu_count() or 1,
    }


def _write_json(path: Path, value: dict[str, Any]) -> None:
    # A folder's name may hold bytes that are no UTF-8, in Python surrogates; JSON has escapes for those.
    text = json.dumps(value, indent=1, ensure_ascii=False).encode("utf-8", "backslashreplace")
    try:
        tensor_file.write_bytes(path, text + b"\n")
    except OSError as error:
        raise tensor_file.storage_error(path, error) from error


def _summary(folder: Path, trainer: Trainer) -> dict[str, Any]:
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
        "epochs": trainer.update / trainer.stream.updates_per_epoch,
        "characters_per_update": trainer.characters_per_update,
        "updates_per_second": rate,
        "characters_per_second": rate * trainer.characters_per_update,
        "smooth_loss": history.smooth,
        "best_smooth_loss": best_smooth,
        "best_update": best.update,
        "epoch_mean_nats_per_character": means[-1] if means else None,
        "epoch_means": [{"epoch": i + 1, "nats_per_character": mean} for i, mean in enumerate(means)],
        **_in_nats_and_bits("validation", trainer.validation_loss),
        "model_sha256": digest(trainer.engine.parameters()),
        "seconds": trainer.seconds,
        "peak_memory_bytes": peak_memory(),
    }


def _in_nats_and_bits(name: str, loss: float | None) -> dict[str, float | None]:
    bits = None if loss is None else loss / math.log(2)
    return {f"{name}_nats_per_character": loss, f"{name}_bits_per_character": bits}


def _findings(trainer: Trainer, text: Text, parts: tuple[Ids, Ids, Ids], *, proof_wanted: bool) -> dict[str, Any]:
    """What the report shows besides the run itself: samples, baselines on the parts of the text, the test, the proof.

    `parts` are the ids to train on, those held out and those of the test.
    """
    assert trainer.best is not None  # noqa: S101 - a checkpoint was made
    seed = trainer.sample_seed
    train_ids, validation_ids, test_ids = parts
    first, second = len(train_ids), len(train_ids) + len(validation_ids)
    checked = trainer.update > 0 and proof_wanted and count(trainer.initial) <= PROOF_LIMIT
    tested = trainer.final_loss(test_ids) if len(test_ids) > 1 else None
    scores = _in_nats_and_bits("validation", trainer.final_validation_loss()) | _in_nats_and_bits("test", tested)
    return scores | {
        "best_sample": trainer.best.model.sample(max_new_tokens=BEST_SAMPLE_LENGTH, seed=seed),
        "final_sample": trainer.model().sample(max_new_tokens=BEST_SAMPLE_LENGTH, seed=seed),
        "baselines": _baselines(text, 0, first),
        "held_out_baselines": _baselines(text, first, second) if trainer.has_validation else None,
        "baseline_limit": BASELINE_LIMIT if max(first, second - first) > BASELINE_LIMIT else None,
        "gradient_check": _proof(trainer, train_ids) if checked else None,
    }


def _baselines(text: Text, start: int, stop: int) -> dict[str, float]:
    """Those of the characters `start` to `stop`, or of the first of them: more would take many minutes."""
    return baselines.baselines(text.part(start, min(stop, start + BASELINE_LIMIT)))


def _proof(trainer: Trainer, ids: Ids) -> dict[str, Any]:
    """The gradient check on the first sequence of the text, at the initial weights and where training ended."""
    T = trainer.training.sequence_length
    first = map_state(lambda field: field[:, :1], trainer.engine.state())
    return proof.figures(trainer.config, trainer.initial, trainer.engine.parameters(), ids[: T + 1], first)
