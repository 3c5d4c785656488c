"""Scores of a text by one or several models, and by baselines that need no network."""

from __future__ import annotations

import dataclasses
import math
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from recurra.api.evaluation import Evaluation, ModelResult, ScoredText, TimedScore
from recurra.config import DOCUMENTS, NONE, arguments
from recurra.errors import ModelError, TextError, UsageError
from recurra.formatting import plural
from recurra.inference import baselines as codes
from recurra.inference.dynamic_evaluation import DynamicConfig
from recurra.inference.scoring import Score
from recurra.inference.surprise import Surprise, tally
from recurra.model import LanguageModel
from recurra.runs.provenance import TEXT_HINT, Provenance
from recurra.runs.saved_model import load
from recurra.system.shell import path_argument
from recurra.text.equivalents import respell
from recurra.text.id_file import Ids
from recurra.text.model_files import require_texts
from recurra.text.reading import Source, list_sources
from recurra.text.splits import read_text
from recurra.text.text import BYTES, Text

Model = LanguageModel | str | Path
Watch = Callable[[Iterator[Surprise], LanguageModel], Iterator[Surprise]]
Progress = Callable[[str, int, int], None]


def score(
    model: Model,
    sources: Source | Sequence[Source] = (),
    *,
    text: str | Text | None = None,
    encoding: str | None = None,
    dynamic: bool | str | DynamicConfig = False,
    dynamic_rate: float | None = None,
    documents: str | None = None,
    per_character: bool = False,
) -> Score:
    """Score a text by one model: the nats and bits that the model needs for its characters.

    Args:
        model: a model, a run directory (its best checkpoint) or a checkpoint file.
        sources: book names, files or folders; empty: the held-out text of the run of the model.
        text: the text itself, instead of `sources`.
        encoding: the encoding of the files, or "bytes" (default: utf-8; bytes for models of bytes).
        dynamic: also score with a copy of each model that learns while it reads: True, "sgd", "rms" or a
            DynamicConfig. True is "rms" if the training text can be read again, else "sgd".
        dynamic_rate: the learning rate of dynamic evaluation; None: the default of the method.
        documents: "lines" scores each line separately, "none" scores the text as a whole; None: as in
            training.
        per_character: store the nats of each character in `losses`; the text is then scored as a whole.

    Returns:
        the score; with `dynamic`, the score of dynamic evaluation.

    Raises:
        TextError, UsageError, ModelError, CheckpointError: as in `evaluate`, whose notes become warnings here.
    """
    losses_of_chunks: list[Any] = []

    def keep(surprises: Iterator[Surprise], _model: LanguageModel) -> Iterator[Surprise]:
        for piece in surprises:
            losses_of_chunks.append(piece.nats)
            yield piece

    evaluation = evaluate(
        model,
        sources,
        text=text,
        encoding=encoding,
        dynamic=dynamic,
        dynamic_rate=dynamic_rate,
        documents=documents,
        watch=keep if arguments.flag("per_character", per_character) else None,
    )
    for note in evaluation.notes:
        warnings.warn(note, stacklevel=2)
    (result,) = evaluation.results
    timed = result.dynamic or result.reading
    if not losses_of_chunks:
        return timed.score
    losses = np.concatenate(losses_of_chunks)
    losses.flags.writeable = False  # `nats` is their sum
    return dataclasses.replace(timed.score, losses=losses)


def evaluate(
    models: Model | Sequence[Model],
    sources: Source | Sequence[Source] = (),
    *,
    text: str | Text | None = None,
    encoding: str | None = None,
    dynamic: bool | str | DynamicConfig = False,
    dynamic_rate: float | None = None,
    documents: str | None = None,
    baselines: bool = False,
    watch: Watch | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Score a text by one or several models.

    Every character counts; the first costs ln K nats for a vocabulary of K, see `LanguageModel.score`.

    Args:
        models: a model, a run directory (its best checkpoint) or a checkpoint file, or a list of them.
        sources: book names, files or folders; empty: the held-out text of the run of the first model.
        text: the text itself, instead of `sources`.
        encoding: the encoding of the files, or "bytes" (default: utf-8; bytes for models of bytes).
        dynamic: also score with a copy of each model that learns while it reads: True, "sgd", "rms" or a
            DynamicConfig. True is "rms" if the training text can be read again, else "sgd".
        dynamic_rate: the learning rate of dynamic evaluation; None: the default of the method.
        documents: "lines" scores each line separately, "none" scores the text as a whole; None: as the first model was
            trained.
        baselines: also compute `baselines`.
        watch: a function, called with an iterator over the surprises and with the model; with `dynamic`, the surprises
            are those of dynamic evaluation. The function yields them unchanged. The text is then scored as a whole.
        progress: a function, called with the name of the model and the numbers of symbols read and in all.

    Returns:
        the text and the results of all models.

    Raises:
        TextError: if the text is empty or cannot be read.
        UsageError: if arguments cannot be combined, or if the first model has no held-out text.
        ModelError, CheckpointError: if a model cannot be loaded.
    """
    how = _dynamic_settings(dynamic, dynamic_rate)
    _require_documents(documents, is_dynamic=how is not None, is_watched=watch is not None)
    baselines = arguments.flag("baselines", baselines)
    for name, function in (("watch", watch), ("progress", progress)):
        arguments.function(name, function)
    readers = [_reader(model) for model in arguments.as_list(models)]
    if not readers:
        raise arguments.invalid_argument("models", "a model, a path, or a list of them", models)
    scored = _scored_text(readers, list_sources(sources), text, encoding)
    request = _Request(scored, how, documents, watch, progress)
    by_lines = request.is_by_lines(readers[0].model)
    is_given = bool(sources) or text is not None
    notes = [*scored.text.notes, *_notes(readers, request, by_lines=by_lines, is_given=is_given)]
    _warm_up(readers, is_dynamic=how is not None)
    results = [_by_lines(reader, scored, notes) if by_lines else _read(reader, request, notes) for reader in readers]
    codes_of_text = _baselines(scored, readers[0], notes) if baselines else None
    return Evaluation(scored, results, codes_of_text, notes)


def baselines(
    sources: Source | Sequence[Source] = (),
    *,
    text: str | Text | None = None,
    encoding: str | None = None,
    model: Model | None = None,
) -> dict[str, Any]:
    """Compute the bits per character of a text by methods that need no network.

    Only the first 8,388,608 characters of the text are used.

    Args:
        sources: book names, files or folders; empty: the held-out text of the run of `model`, else the default book.
        text: the text itself, instead of `sources`.
        encoding: the encoding of the files, or "bytes" (default: utf-8; bytes for a model of bytes).
        model: a model whose training text gives n-grams; None: compute no n-grams.

    Returns:
        bits per character by name: "uniform", "unigram" (the entropy of the text's characters), "gzip", "bzip2" and
        "xz"; with a `model` also "ngram", by order; and "bytes_per_character" in UTF-8.

    Raises:
        ModelError, TextError: if the training text of the model is unknown or cannot be read again.
    """
    listed, encoding = list_sources(sources), arguments.text_or_none("encoding", encoding)
    if model is not None:
        reader = _reader(model)
        scored = _scored_text([reader], listed, text, encoding)
        return _codes(scored) | {"ngram": _ngrams(scored, reader)}
    require_texts(listed, lambda _: "give `model`, and a text.", encoding)
    loaded = read_text(listed, text, encoding)
    _require_characters(len(loaded))
    return _codes(ScoredText(loaded, 0, len(loaded), "all of it"))


class _Reader(NamedTuple):
    """A model, its name, and the provenance of its training text."""

    name: str
    model: LanguageModel
    origin: Provenance | None

    @property
    def provenance(self) -> Provenance:
        """The provenance of the training text; ModelError for a model that was not loaded from a path."""
        if self.origin is None:
            raise ModelError(
                "the training text of the model is unknown, because the model was not loaded from a file.",
                hint=TEXT_HINT,
            )
        return self.origin

    def training_ids(self) -> Ids:
        """Return the ids of the training text; TextError or ModelError if the text is unknown or unreadable."""
        return self.provenance.prepared_text.parts[0]


class _Request(NamedTuple):
    """A text and the arguments of `evaluate`; `how` has the settings of dynamic evaluation, None without it."""

    scored: ScoredText
    how: dict[str, Any] | None
    documents: str | None
    watch: Watch | None
    progress: Progress | None

    def is_by_lines(self, model: LanguageModel) -> bool:
        """Return True if each line is scored separately."""
        if self.documents is None:
            return model.documents is not None and self.how is None and self.watch is None
        return self.documents != NONE


def _reader(model: Model) -> _Reader:
    if isinstance(model, LanguageModel):
        return _Reader("model", model, None)
    path = arguments.path("models", model)
    return _Reader(str(model), load(path), Provenance(path))


def _dynamic_settings(dynamic: Any, rate: float | None) -> dict[str, Any] | None:
    """Return the settings of `DynamicConfig` that the caller set; None without dynamic evaluation."""
    dynamic = arguments.unwrap_numpy(dynamic)
    if not isinstance(dynamic, (bool, str, DynamicConfig)):
        raise arguments.invalid_argument("dynamic", 'True, False, "sgd", "rms" or a DynamicConfig', dynamic)
    if rate is not None and (dynamic is False or isinstance(dynamic, DynamicConfig)):
        raise UsageError('`dynamic_rate` requires `dynamic` to be True, "sgd" or "rms".', hint="remove `dynamic_rate`.")
    if dynamic is False:
        return None
    if isinstance(dynamic, DynamicConfig):
        return vars(dynamic)
    settings: dict[str, Any] = {"method": dynamic} if isinstance(dynamic, str) else {}
    settings |= {} if rate is None else {"rate": rate}
    DynamicConfig(**settings)  # raise errors before the text is read
    return settings


def _require_documents(documents: Any, *, is_dynamic: bool, is_watched: bool) -> None:
    if documents is not None and (not isinstance(documents, str) or documents not in DOCUMENTS):
        raise UsageError(f"`--documents` must be one of {', '.join(DOCUMENTS)}; got {arguments.short_repr(documents)}.")
    if documents == "lines":
        message = "`--documents lines` cannot be combined with {}."
        arguments.refuse_besides(message, dynamic=is_dynamic, per_character=is_watched)


def _scored_text(
    readers: Sequence[_Reader], sources: list[Source], text: str | Text | None, encoding: str | None
) -> ScoredText:
    """Return the given text, else the held-out text of the run of the first model."""
    all_bytes = all(reader.model.vocabulary.is_bytes for reader in readers)
    encoding = arguments.text_or_none("encoding", encoding)
    if not sources and text is None:
        scored = _held_out(readers[0])
    else:
        require_texts(sources, partial(_with_models, readers, sources), encoding)
        loaded = read_text(sources, text, encoding or (BYTES if all_bytes else "utf-8"))
        scored = ScoredText(loaded, 0, len(loaded), "all of it")
    if scored.text.is_bytes and not all_bytes:
        raise TextError("the text is read as bytes, but a model reads characters.", hint="remove `--encoding bytes`.")
    _require_characters(scored.length)
    return scored


def _require_characters(length: int) -> None:
    if length == 0:
        raise TextError("an empty text has no score.", hint="give a text of one character or more.")


def _with_models(readers: Sequence[_Reader], sources: Sequence[Source], model: Path) -> str:
    """Return the hint if a model was given as a text: the command that scores with this model too."""
    first, *others = (path_argument(reader.name) for reader in readers)
    texts = [str(text) if text == "-" else path_argument(text) for text in sources if Path(text) != model]
    also = [f"--also {other}" for other in (*others, path_argument(model))]
    return f"to score with several models: `{' '.join(['recurra score', first, *texts, *also])}`."


def _held_out(reader: _Reader) -> ScoredText:
    learned = reader.provenance.prepared_text
    start, stop = learned.held_out
    if start == stop:
        raise UsageError(f"`{reader.name}` has no held-out text.", hint=TEXT_HINT)
    return ScoredText(learned.text, start, stop, "the part that was held out")


def _notes(readers: Sequence[_Reader], request: _Request, *, by_lines: bool, is_given: bool) -> Iterator[str]:
    """Yield notes on arguments that may not do what the user expects."""
    text, documents = request.scored.text, request.documents
    origins = [reader.origin for reader in readers if reader.origin is not None]
    if is_given and any(origin.sha256 == text.sha256 for origin in origins):
        yield "the model was trained on this text; without TEXT only its held-out part is scored"
    if documents is None and by_lines:
        yield "the model was trained on separate lines and scores each alone; `--documents none` scores all as one text"
    elif documents == NONE and any(reader.model.documents for reader in readers):
        yield "a model was trained on separate lines, but reads the text as a whole here"
    if not text.is_bytes and any(reader.model.vocabulary.is_bytes for reader in readers):
        yield "a model of bytes counts each byte as a character; compare models by bits/byte"


def _warm_up(readers: Sequence[_Reader], *, is_dynamic: bool) -> None:
    """Compile the kernels before the time is measured."""
    for reader in readers:
        symbol = reader.model.vocabulary.symbols[0]
        for settings in (None, DynamicConfig(segment=1)) if is_dynamic else (None,):
            tally(reader.model.surprises([symbol * 3], settings))


def _read(reader: _Reader, request: _Request, notes: list[str]) -> ModelResult:
    if request.how is None:
        return ModelResult(reader.name, _timed(reader, request, None, None, request.watch, notes))
    how, ids = _method(request.how, reader, notes)
    static = _timed(reader, request, None, None, None, notes)
    return ModelResult(reader.name, static, _timed(reader, request, how, ids, request.watch, notes), how)


def _method(settings: dict[str, Any], reader: _Reader, notes: list[str]) -> tuple[DynamicConfig, Ids | None]:
    """Return the settings of dynamic evaluation and the ids of the training text that the method rms needs.

    Without a given method, use rms if the training text can be read again, else sgd.
    """
    if settings.get("method", "rms") != "rms":
        return DynamicConfig(**settings), None
    try:
        return DynamicConfig(**{"method": "rms"} | settings), reader.training_ids()
    except (TextError, ModelError) as error:
        if "method" in settings:
            raise
        notes.append(f"dynamic evaluation by sgd: {error.message}")
        return DynamicConfig(**settings), None


def _timed(
    reader: _Reader,
    request: _Request,
    how: DynamicConfig | None,
    ids: Ids | None,
    watch: Watch | None,
    notes: list[str],
) -> TimedScore:
    model, name = reader.model, reader.name if how is None else f"{reader.name}, dynamic"
    surprises = model.surprises(request.scored.spelled(model, notes), how, ids, request.documents)
    started = time.perf_counter()
    if watch is not None:
        surprises = watch(surprises, model)
    elif request.progress is not None:
        surprises = _counted(surprises, partial(request.progress, name), request.scored.length)
    score = tally(surprises, is_bytes=model.vocabulary.is_bytes)
    return TimedScore(score, time.perf_counter() - started)


def _counted(surprises: Iterator[Surprise], progress: Callable[[int, int], None], length: int) -> Iterator[Surprise]:
    """Yield the chunks unchanged; call `progress` after each with the number of symbols read, at most `length`."""
    done = 0
    for piece in surprises:
        yield piece
        done += len(piece.symbols)  # a model of bytes reads more symbols than the text has characters
        progress(min(done, length), length)


def _by_lines(reader: _Reader, scored: ScoredText, notes: list[str]) -> ModelResult:
    started = time.perf_counter()
    vocabulary = reader.model.vocabulary
    scored_lines = reader.model.score_lines("".join(scored.spelled(reader.model, notes)))
    lines = [line._replace(text=vocabulary.unspell(line.text)) for line in scored_lines]
    scores = [line.score for line in lines]
    total = Score(
        sum(score.characters for score in scores),
        math.fsum(score.nats for score in scores),
        sum(score.unknown_characters for score in scores),
        sum(score.bytes for score in scores),
    )
    return ModelResult(reader.name, TimedScore(total, time.perf_counter() - started), lines=lines)


def _baselines(scored: ScoredText, reader: _Reader, notes: list[str]) -> dict[str, Any]:
    """Return the baselines of the text; add a note if the n-grams of the training text are missing."""
    if scored.length > codes.MAX_BASELINE_CHARACTERS:
        notes.append(f"the baselines use only the first {plural(codes.MAX_BASELINE_CHARACTERS, 'character')}")
    table = _codes(scored)
    try:
        return table | {"ngram": _ngrams(scored, reader)}
    except (TextError, ModelError) as error:
        notes.append(f"no n-grams: {error.message}")
        return table


def _codes(scored: ScoredText) -> dict[str, Any]:
    text = scored.beginning(codes.MAX_BASELINE_CHARACTERS)
    size = len(text) if scored.text.is_bytes else len(text.encode())
    return {**codes.baselines(text, is_bytes=scored.text.is_bytes), "bytes_per_character": size / len(text)}


def _ngrams(scored: ScoredText, reader: _Reader) -> dict[str, float]:
    """Return the bits per character of the text by n-grams of the training text of the model, by order."""
    training, text, vocabulary = (
        reader.training_ids(),
        scored.beginning(codes.MAX_BASELINE_CHARACTERS),
        reader.model.vocabulary,
    )
    spelled = text if scored.text.is_bytes else vocabulary.spell(respell(text, vocabulary)[0])
    share = len(spelled) / len(text)  # the ratio differs from 1 for bytes and for another canonical form
    return {order: bits * share for order, bits in codes.ngram_bits(training, vocabulary, spelled).items()}
