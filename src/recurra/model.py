"""`LanguageModel`: a network with its vocabulary and parameters, to sample from, to score with and to save."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
from numpy.typing import NDArray

from recurra.config import DOCUMENTS, MAX_SEED, NONE, ModelConfig, arguments
from recurra.engines import create_network, create_stepper
from recurra.errors import ModelError, RecurraError, TextError, UsageError
from recurra.inference import generation, sampling, scoring
from recurra.inference.dynamic_evaluation import DynamicConfig, create_dynamic_predictor
from recurra.inference.generation import Sample
from recurra.inference.line_scores import NEWLINE, Line, score_lines
from recurra.inference.sampling_options import SamplingSettings
from recurra.inference.surprise import Predictor, StaticPredictor, Surprise, surprises, tally
from recurra.io import atomic_write, tensor_file
from recurra.network import growth, network
from recurra.network.network import State
from recurra.network.optimizers import average_of
from recurra.network.parameters import check_parameters, digest, parameter_shapes
from recurra.text.equivalents import respell
from recurra.text.id_file import IdFile, Ids
from recurra.text.vocabulary import Vocabulary, name_characters

if TYPE_CHECKING:
    from recurra.engines import Network
    from recurra.engines.stepper import Stepper

Array = NDArray[Any]
MODEL_FORMAT = 1
MAX_STREAMS = 1 << 20
PREFIX, OPTIMIZER, STATE = "parameters.", "optimizer.", "state."  # beginnings of the names of arrays in a file


@dataclass(frozen=True, eq=False, repr=False)
class LanguageModel:
    """A character-level recurrent language model.

    Args:
        config: the settings of the network.
        vocabulary: the characters of the model.
        parameters: arrays by name, rounded to float32. U has the shape (gates · H, inputs).
        documents: "lines" if the model was trained line by line, else None. Such a model starts every line from a zero
            state, and samples and scores in the same way.

    Raises:
        ModelError: if the parameters do not fit the network, or if an element is not finite.
        UsageError: if an argument has a wrong type.

    A model is immutable: it copies the parameters, and its own arrays are read-only. `with_parameters` returns a model
    with other parameters::

        V = model.parameters["V"].copy()
        V[0] = 0
        model = model.with_parameters({"V": V})

    Any number of threads may call the methods of one model at the same time. An iterator that a method returns belongs
    to one thread.
    """

    config: ModelConfig
    vocabulary: Vocabulary
    parameters: Mapping[str, Array]
    documents: str | None = None
    document_end: int | None = field(init=False)  # id that ends a document; None without documents

    def __post_init__(self) -> None:
        arguments.instance("config", self.config, ModelConfig)
        arguments.instance("vocabulary", self.vocabulary, Vocabulary)
        _require_mapping("parameters", self.parameters)
        object.__setattr__(self, "document_end", _document_end(self.vocabulary, self.documents))
        with np.errstate(over="ignore"):  # `check_parameters` rejects infinity
            arrays = {name: _float32(name, array) for name, array in self.parameters.items()}
        check_parameters(self.config, len(self.vocabulary), arrays)
        for array in arrays.values():
            array.flags.writeable = False
        object.__setattr__(self, "parameters", MappingProxyType(arrays))

    def __reduce__(self) -> tuple[Any, ...]:
        """Copy and pickle the fields of the model, without the compiled networks."""
        return type(self), (self.config, self.vocabulary, dict(self.parameters), self.documents)

    def with_parameters(self, changed: Mapping[str, Array]) -> LanguageModel:
        """Return a model with other parameters.

        Args:
            changed: the arrays to replace, by name.

        Returns:
            A new model with the other parameters of this model.

        Raises:
            ModelError: if a name or a shape does not fit the network, or if an element is not finite.
        """
        _require_mapping("changed", changed)
        return dataclasses.replace(self, parameters={**self.parameters, **changed})

    def __repr__(self) -> str:
        size = sum(array.size for array in self.parameters.values())
        return (
            f"<LanguageModel: {self.config.cell}, {self.config.layers} × {self.config.hidden_size} units, "
            f"{len(self.vocabulary)} symbols, {size:,} parameters>"
        )

    @functools.cached_property
    def reader(self) -> Network:
        """The network for reading ids in blocks and predicting the next id."""
        return create_network(self.config, self.parameters)

    @functools.cached_property
    def stepper(self) -> Stepper:
        """The network for reading and writing one symbol at a time."""
        return create_stepper(self.config, self.parameters)

    @property
    def sha256(self) -> str:
        """The digest of the parameters, in hexadecimal."""
        return digest(self.parameters)

    def extended(self, vocabulary: Vocabulary, *, seed: int = 0) -> LanguageModel:
        """Return a model with additional characters. It predicts the old characters as before; see `network.growth`.

        Args:
            vocabulary: the characters to add. A model of bytes has all bytes and is returned unchanged.
            seed: the random seed of the new parameters.

        Returns:
            The extended model, or this model if it has all characters.
        """
        seed = arguments.whole_number("seed", seed, 0, MAX_SEED)
        union = self.vocabulary.extended(vocabulary)
        if len(union) == len(self.vocabulary):
            return self
        ids = union.encode(self.vocabulary.symbols)
        grown = growth.grow(self.config, self.parameters, ids, len(union), seed=seed)
        return LanguageModel(self.config, union, grown, self.documents)

    def zero_state(self, batch: int = 1) -> State:
        """Return the state before the first character.

        Args:
            batch: number of streams B.

        Returns:
            A NamedTuple of zeros, each field (L, B, H).
        """
        batch = arguments.whole_number("batch", batch, 0, MAX_STREAMS)
        state: State = network.zero_state(self.config, batch)
        return state

    def loss_and_gradients(
        self, inputs: Array, targets: Array, state: State | None = None
    ) -> tuple[float, dict[str, Array]]:
        """Compute the loss and its gradients in float64, with the reference implementation.

        Args:
            inputs: (T, B) ids.
            targets: (T, B) ids, the symbol after each of `inputs`.
            state: the state before the first symbol, each field (L, B, H); None for zeros.

        Returns:
            The sum of the losses in nats, and the gradients by the names of the parameters. "state.h" is the gradient
            of the hidden state before the first symbol.
        """
        ids = _array("inputs", inputs), _array("targets", targets)
        if state is not None:
            _require_state(state)
        loss, gradients, _ = network.loss_and_gradients(self.config, self.parameters, *ids, state)
        return loss, gradients

    def sample(self, prompt: str = "", **settings: Unpack[SamplingSettings]) -> str:
        """Generate one text.

        Characters of the prompt that are not in the vocabulary are left out, with a warning.

        Args:
            prompt: the beginning of the text; it is not repeated in the result.
            **settings: the fields of `SamplingConfig`, such as `temperature=0.7` or `max_new_tokens=500`.

        Returns:
            The text after the prompt.

        Raises:
            UsageError: if a setting is unknown or out of range.
        """
        config = sampling.config_of(settings)
        first = next(self._write([self._prompt_ids(prompt, 3)], config))
        return self.vocabulary.unspell(first.symbols)

    def samples(self, prompts: str | Sequence[str] = "", **settings: Unpack[SamplingSettings]) -> list[Sample]:
        """Generate several texts side by side. Each text is the same as if it were generated alone.

        Args:
            prompts: one prompt or a list of prompts.
            **settings: the fields of `SamplingConfig`; `num_return_sequences` is the number of texts for each prompt.

        Returns:
            The texts, prompt by prompt, with log p of every symbol. The symbols of a model of bytes are bytes.

        Raises:
            UsageError: if a setting is unknown or out of range.
        """
        config = sampling.config_of(settings)
        every = [prompts] if isinstance(prompts, str) else _strings("prompts", prompts)
        return list(self._write([self._prompt_ids(prompt, 3) for prompt in every], config))

    def write(self, prompts: Sequence[str], config: sampling.SamplingConfig) -> Iterator[Sample]:
        """Generate the texts of `samples` one after another.

        Args:
            prompts: a list of prompts.
            config: the sampling settings.

        Returns:
            An iterator over the texts. Each text is available when it and all texts before it have ended.
        """
        arguments.instance("config", config, sampling.SamplingConfig)
        return self._write([self._prompt_ids(prompt, 3) for prompt in _strings("prompts", prompts)], config)

    def _write(self, prompts: list[Array], config: sampling.SamplingConfig) -> Iterator[Sample]:
        config = self._adapted(config, 4)
        texts = ((prompt, settings) for prompt in prompts for settings in config.texts())
        return generation.generate_all(self.generator(), texts)

    def stream(self, prompt: str, config: sampling.SamplingConfig) -> Iterator[str]:
        """Generate the text of `sample` symbol by symbol.

        Args:
            prompt: the beginning of the text; it is not repeated in the result.
            config: the sampling settings.

        Returns:
            An iterator over the symbols; the symbols of a model of bytes are bytes.
        """
        return itertools.chain.from_iterable(self.pieces(prompt, config))

    def pieces(self, prompt: str, config: sampling.SamplingConfig) -> Iterator[str]:
        """Generate the text of `sample` in pieces of several symbols.

        Args:
            prompt: the beginning of the text; it is not repeated in the result.
            config: the sampling settings.

        Returns:
            An iterator over the pieces, each available as soon as it is generated.
        """
        arguments.instance("config", config, sampling.SamplingConfig)
        return generation.stream_chunks(self.generator(), self._prompt_ids(prompt, 4), self._adapted(config, 3))

    def generator(self) -> generation.Generator:
        """Return a generator of many texts side by side, which may begin and end at any time."""
        return generation.Generator(self.stepper, self.vocabulary, self.document_end)

    def _prompt_ids(self, prompt: str, stacklevel: int) -> Array:
        """Return the ids of the prompt. Warn of characters that are not in the vocabulary.

        A character outside the vocabulary is replaced, with a warning, if the vocabulary has a canonical equivalent.
        """
        spelled, note = respell(arguments.text("prompt", prompt), self.vocabulary)
        if note is not None:
            warnings.warn(f"in the prompt, {note}.", stacklevel=stacklevel)
        ids, unknown = self.vocabulary.encode_known(self.vocabulary.spell(spelled))
        if unknown:
            message = (
                f"the vocabulary of the model lacks {name_characters(unknown)} in `prompt`; "
                "the model reads the prompt without them."
            )
            warnings.warn(message, stacklevel=stacklevel)
        return ids

    def _adapted(self, config: sampling.SamplingConfig, stacklevel: int) -> sampling.SamplingConfig:
        """Return the settings that this model can apply. Warn of characters that it can never write."""
        adapted, impossible = config.adapt(self.vocabulary)
        for characters in impossible:
            warnings.warn(str(characters), stacklevel=stacklevel)
        return adapted

    def score(
        self,
        text: str,
        *,
        dynamic: DynamicConfig | str | None = None,
        learned: str | None = None,
        documents: str | None = None,
    ) -> scoring.Score:
        """Compute the loss of a text.

        The loss of a character is -log p after all characters before it. The first character costs ln K for a
        vocabulary of K characters; a model of documents reads a newline first, and predicts the first character, too. A
        character that is not in the vocabulary costs 24 bits, and 8 bits for each byte of its UTF-8, and is skipped. A
        canonical equivalent (é as one character or as two) that is in the vocabulary replaces it, with a warning.

        Args:
            text: the text.
            dynamic: "sgd", "rms" or a `DynamicConfig` for dynamic evaluation: a copy of the model learns from the text
                while it reads. None for constant parameters.
            learned: the training text; only "rms" needs it.
            documents: "lines" to read line by line, "none" to read the whole text as one document; None to read as in
                training.

        Returns:
            The score, with the loss of each character.

        Raises:
            TextError: if the text is empty or has a lone surrogate, or if "rms" lacks the training text.
            UsageError: if an argument has a wrong type or value.
        """
        text = arguments.text("text", text)
        if not text:
            raise TextError("an empty text has no score.", hint="give a text of one character or more.")
        settings = DynamicConfig(method=dynamic) if isinstance(dynamic, str) else dynamic
        if settings is not None and not isinstance(settings, DynamicConfig):
            raise arguments.invalid_argument("dynamic", '"sgd", "rms" or a DynamicConfig', settings)
        text, note = respell(text, self.vocabulary)
        if note is not None:
            warnings.warn(f"in the text, {note}.", stacklevel=2)
        training_text = None if learned is None else self._spelled(arguments.text("learned", learned))
        ids = None if training_text is None else self.vocabulary.encode_known(training_text)[0]
        losses = self.surprises([self.vocabulary.spell(text)], settings, ids, documents)
        return tally(losses, is_bytes=self.vocabulary.is_bytes, keep=True)

    def _spelled(self, text: str) -> str:
        return self.vocabulary.spell(respell(text, self.vocabulary)[0])

    def surprises(
        self,
        pieces: Iterable[str],
        dynamic: DynamicConfig | None = None,
        learned: Ids | None = None,
        documents: str | None = None,
    ) -> Iterator[Surprise]:
        """Compute the loss of each symbol of a text. Every division into pieces gives the same bits.

        Args:
            pieces: the text in pieces, spelled in symbols of the vocabulary (see `Vocabulary.spell`).
            dynamic: the settings of dynamic evaluation, or None.
            learned: the ids of the training text; only the method "rms" needs them.
            documents: as in `score`.

        Returns:
            An iterator over the losses of each piece.
        """
        end = self.document_end if documents is None else self._end_of(documents)
        predictor: Predictor = (
            StaticPredictor(self.reader, self.zero_state(), end)
            if dynamic is None
            else create_dynamic_predictor(self.config, self.parameters, self.zero_state(), dynamic, learned, end)
        )
        return surprises(predictor, self.vocabulary, pieces, end)

    def _end_of(self, documents: str) -> int | None:
        """Return the id that ends each document of the kind `documents`, or None without documents.

        Raises UsageError for an unknown kind, ModelError if the vocabulary has no newline.
        """
        documents = arguments.text("documents", documents)
        if documents not in DOCUMENTS:
            raise UsageError(f"`documents` must be one of {', '.join(DOCUMENTS)}; got {documents!r:.40}.")
        return _document_end(self.vocabulary, documents)

    def score_lines(self, text: str) -> Iterator[Line]:
        """Score each line of a text by itself.

        Args:
            text: the text, spelled in symbols of the vocabulary (see `Vocabulary.spell`).

        Returns:
            An iterator over the lines that are not empty.

        Raises:
            TextError: if the vocabulary has no newline, or if all lines are empty.
        """
        return score_lines(self.reader, self.vocabulary, self.zero_state, arguments.text("text", text))

    def evaluate(self, ids: Ids) -> float:
        """Compute the mean held-out loss, from a zero state.

        The first character is read and not counted. A model of documents reads every line from a zero state and a
        newline, and counts all characters.

        Args:
            ids: (N,) ids of the held-out text, N >= 2.

        Returns:
            The loss in nats per character.

        Raises:
            TextError: if the model was trained on documents and all lines are empty.
            UsageError: if `ids` are not ids of this model.
        """
        ids = self._checked(ids)
        if self.document_end is not None:
            return scoring.evaluate_documents(self.reader, ids[:], self.document_end, self.zero_state)
        return scoring.evaluate(self.reader, ids, self.zero_state())

    def estimate(self, ids: Ids) -> float:
        """Compute an approximation of the result of `evaluate`; it is faster for a long text and a large network.

        Args:
            ids: (N,) ids of the held-out text, N >= 2.

        Returns:
            The loss in nats per character.
        """
        if self.document_end is not None:  # `evaluate` reads lines side by side, too
            return self.evaluate(ids)
        return scoring.estimate(self.reader, self._checked(ids), self.zero_state)

    def warm_up(self) -> None:
        """Compile the kernels of `evaluate` and `estimate`."""
        character = next((id_ for id_ in range(len(self.vocabulary)) if id_ != self.document_end), None)
        if character is not None:
            self.estimate(np.full(2, character))

    def _checked(self, ids: Ids) -> Ids:
        """Return `ids` as an array, or as an `IdFile`. Raise UsageError unless they are two or more valid ids."""
        array = ids if isinstance(ids, IdFile) else _array("ids", ids)
        is_valid = isinstance(array, IdFile) or (array.ndim == 1 and array.dtype.kind in "iu")
        if not is_valid or len(array) < 2 or array.min() < 0 or array.max() >= len(self.vocabulary):
            raise UsageError(f"`ids` must be two or more ids from 0 to {len(self.vocabulary) - 1}.")
        return array

    def tensors(self) -> dict[str, Array]:
        """Return the arrays of the model file."""
        parameters = {PREFIX + name: array for name, array in self.parameters.items()}
        return parameters | {"vocabulary": self.vocabulary.code_points}

    def metadata(self) -> dict[str, Any]:
        """Return the metadata of the model file."""
        metadata = {"format": MODEL_FORMAT, "model": self.config.to_table(), "bytes": self.vocabulary.is_bytes}
        return metadata if self.documents is None else metadata | {"documents": self.documents}

    def save(self, path: str | Path) -> None:
        """Write a model file. It has no training state; training resumes from a run directory.

        Args:
            path: the file to write.

        Raises:
            StorageError: if the file cannot be written.
        """
        path = arguments.path("path", path)
        tensor_file.write(path, self.tensors(), self.metadata(), atomic_write.FILE_PLACE)


def _require_mapping(name: str, value: Any) -> None:
    """Raise UsageError unless `value` maps names to arrays."""
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise arguments.invalid_argument(name, "a dict of arrays by name", value)


def _float32(name: str, value: Any) -> Array:
    """Return a copy of a parameter, rounded to float32. Raise ModelError unless it is an array of real numbers."""
    array = np.asarray(_array(name, value))
    if array.dtype.kind not in "fiu":
        raise ModelError(f"parameter {name!r:.80} must be an array of numbers; got {arguments.short_repr(value)}.")
    return np.array(array, np.float32)


def _array(name: str, value: Any) -> Array:
    """Convert `value` to an array. Raise UsageError if that is impossible."""
    try:
        return np.asarray(value)
    except (ValueError, TypeError, RuntimeError):  # rows of different lengths; a tensor of PyTorch with a gradient
        raise arguments.invalid_argument(name, "an array", value) from None


def _require_state(state: Any) -> None:
    """Raise UsageError unless `state` is a NamedTuple of arrays of real numbers, like the result of `zero_state`."""
    is_state = isinstance(state, tuple) and hasattr(state, "_fields")
    if not is_state or not all(isinstance(field, np.ndarray) and field.dtype.kind in "fiu" for field in state):
        raise arguments.invalid_argument("state", "a state like the result of `zero_state`", state)


def _strings(name: str, value: Any) -> list[str]:
    """Return a list of str. Raise UsageError for other types."""
    if not isinstance(value, (list, tuple)):
        raise arguments.invalid_argument(name, "a str or a list of str", value)
    return [arguments.text(name, item) for item in value]


def named(tensors: dict[str, Array], prefix: str) -> dict[str, Array]:
    """Return the arrays whose names begin with a prefix.

    Args:
        tensors: arrays by name.
        prefix: the prefix.

    Returns:
        The arrays by the rest of their names.
    """
    return {name.removeprefix(prefix): array for name, array in tensors.items() if name.startswith(prefix)}


def from_tensors(path: Path, tensors: dict[str, Array], metadata: dict[str, Any]) -> LanguageModel:
    """Return the model of a file. If the file has an average of the parameters, the model uses the average.

    Args:
        path: the file, for error messages.
        tensors: the arrays of the file by name.
        metadata: the metadata of the file.

    Returns:
        The model.

    Raises:
        ModelError: if the file does not hold a model.
    """
    version = metadata.get("format")
    if version != MODEL_FORMAT or isinstance(version, bool):
        raise ModelError(
            f"`{path}` has format {version!r:.40}; this version of recurra reads format {MODEL_FORMAT}.",
            hint="install the version of recurra that wrote it.",
        )
    try:
        _require_kinds(tensors, metadata)
        config = ModelConfig.from_table(metadata["model"])
        vocabulary = Vocabulary.from_code_points(tensors["vocabulary"], is_bytes=metadata["bytes"])
        _require_shapes(tensors, config, len(vocabulary))
        parameters = average_of(named(tensors, OPTIMIZER)) or named(tensors, PREFIX)
        return LanguageModel(config, vocabulary, parameters, _documents_of(metadata))
    except KeyError as error:
        raise ModelError(f"`{path}` does not hold a model: {error} is missing.") from error
    except RecurraError as error:
        raise ModelError(f"`{path}` does not hold a model: {error.message}") from error


def _documents_of(metadata: dict[str, Any]) -> str | None:
    """Return the kind of documents that the model was trained on; None if it was trained without documents.

    Older model files record the kind only in the settings of the training.
    """
    training = metadata.get("training")
    settings = training if isinstance(training, dict) else {}
    documents = metadata.get("documents", settings.get("documents", NONE))
    return None if documents == NONE else documents


def _document_end(vocabulary: Vocabulary, documents: str | None) -> int | None:
    """Return the id that ends a document, or None without documents. Raise ModelError if there is no newline."""
    if documents is None or arguments.text("documents", documents) == NONE:
        return None
    if documents not in DOCUMENTS:
        raise ModelError(
            f"the model has documents of the kind {documents!r:.40}; expected one of {', '.join(DOCUMENTS)}.",
            hint="install a newer version of recurra.",
        )
    ids, _ = vocabulary.encode_known(NEWLINE)
    if len(ids) == 0:
        raise ModelError("a model of lines needs a newline among its characters.")
    return int(ids[0])


def _require_kinds(tensors: dict[str, Array], metadata: dict[str, Any]) -> None:
    """Raise ModelError for a value of a wrong type, or for an unknown array."""
    if not isinstance(metadata["model"], dict) or not isinstance(metadata["bytes"], bool):
        raise ModelError("`model` must be a table, `bytes` true or false.")
    for name, array in tensors.items():
        if name != "vocabulary" and not name.startswith((PREFIX, OPTIMIZER, STATE)):
            raise ModelError(f"unknown array {name!r:.80}.")
        expected = ("uint32",) if name == "vocabulary" else ("float32", "float64")
        if array.dtype.name not in expected:
            raise ModelError(f"{name!r:.80} must be {' or '.join(expected)}; got {array.dtype.name}.")


def _require_shapes(tensors: dict[str, Array], config: ModelConfig, symbols: int) -> None:
    """Raise ModelError unless the state and the optimizer's arrays `KIND.NAME` fit the network."""
    shapes = parameter_shapes(config, symbols)
    for name, array in tensors.items():
        fits = True
        if name.startswith(OPTIMIZER):
            fits = array.shape == shapes.get(name.split(".", 2)[-1], (1,))
        elif name.startswith(STATE):
            fits = array.ndim == 3 and array.size > 0 and array.shape[::2] == (config.layers, config.hidden_size)
        if not fits:
            raise ModelError(f"{name!r:.80} has a shape that does not fit the network: {array.shape}.")
