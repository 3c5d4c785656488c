"""LanguageModel = config + vocabulary + parameters: saved to a model file, sampled from and scored with."""

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
MOST_STREAMS = 1 << 20
PREFIX, OPTIMIZER = "parameters.", "optimizer."
STATE = "state."


@dataclass(frozen=True, eq=False, repr=False)
class LanguageModel:
    """A character-level recurrent language model.

    config
        the settings of the network
    vocabulary
        the characters that the model knows
    parameters
        float32 arrays by name, with U as (gates · H, inputs); parameters of the float64 engine are rounded
    documents
        None, or "lines" if training read every line by itself, from a zero state and a newline; the model samples and
        scores in the same way: the state becomes zero before each newline that it reads

    A model never changes: it copies the parameters that it is made of, and its own are read-only. `with_parameters`
    returns a model with other weights::

        V = model.parameters["V"].copy()
        V[0] = 0
        model = model.with_parameters({"V": V})

    Any number of threads may call the methods of one model at once. Iterators and generators that a method returns
    belong to one thread each.
    """

    config: ModelConfig
    vocabulary: Vocabulary
    parameters: Mapping[str, Array]
    documents: str | None = None
    document_end: int | None = field(init=False)  # the id that ends a document; None without documents

    def __post_init__(self) -> None:
        arguments.instance("config", self.config, ModelConfig)
        arguments.instance("vocabulary", self.vocabulary, Vocabulary)
        _require_mapping("parameters", self.parameters)
        object.__setattr__(self, "document_end", _document_end(self.vocabulary, self.documents))
        with np.errstate(over="ignore"):  # infinity is found below
            own = {name: _float32(name, array) for name, array in self.parameters.items()}
        check_parameters(self.config, len(self.vocabulary), own)
        for array in own.values():
            array.flags.writeable = False
        object.__setattr__(self, "parameters", MappingProxyType(own))

    def __reduce__(self) -> tuple[Any, ...]:
        """Copy and pickle what the model is made of, without the networks that it has built."""
        return type(self), (self.config, self.vocabulary, dict(self.parameters), self.documents)

    def with_parameters(self, changed: Mapping[str, Array]) -> LanguageModel:
        """Return a model with `changed` in place of the parameters of the same names.

        Raises ModelError if a name, a shape or a number is not that of a parameter.
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
        """The network as it reads ids and tells what it expects next."""
        return create_network(self.config, self.parameters)

    @functools.cached_property
    def stepper(self) -> Stepper:
        """The network a step at a time, which writes and decodes."""
        return create_stepper(self.config, self.parameters)

    @property
    def sha256(self) -> str:
        """The digest of the parameters."""
        return digest(self.parameters)

    def extended(self, vocabulary: Vocabulary, *, seed: int = 0) -> LanguageModel:
        """The model that knows the characters of `vocabulary` besides its own, and predicts those as before.

        See `network.growth`; a model of bytes knows all there are.
        """
        seed = arguments.whole_number("seed", seed, 0, MAX_SEED)
        both = self.vocabulary.extended(vocabulary)
        if len(both) == len(self.vocabulary):
            return self
        places = both.encode(self.vocabulary.symbols)
        grown = growth.grow(self.config, self.parameters, places, len(both), seed=seed)
        return LanguageModel(self.config, both, grown, self.documents)

    def zero_state(self, batch: int = 1) -> State:
        """The state before the first character: zeros (L, B, H)."""
        batch = arguments.whole_number("batch", batch, 0, MOST_STREAMS)
        state: State = network.zero_state(self.config, batch)
        return state

    def loss_and_gradients(
        self, inputs: Array, targets: Array, state: State | None = None
    ) -> tuple[float, dict[str, Array]]:
        """The loss in nats (a sum over ids (T, B)) and its gradients, by the float64 reference.

        The gradients have the parameters' names, and "state.h" for the state before the first character.
        """
        ids = _array("inputs", inputs), _array("targets", targets)
        if state is not None:
            _require_state(state)
        loss, gradients, _ = network.loss_and_gradients(self.config, self.parameters, *ids, state)
        return loss, gradients

    def sample(self, prompt: str = "", **settings: Unpack[SamplingSettings]) -> str:
        """Text that the model writes after `prompt`, which is not repeated; `settings` are those of `SamplingConfig`.

        Characters that the model does not know are left out of the prompt, with a warning that names them.
        """
        config = sampling.config_of(settings)
        first = next(self._write([self._known(prompt, 3)], config))
        return self.vocabulary.unspell(first.symbols)

    def samples(self, prompts: str | Sequence[str] = "", **settings: Unpack[SamplingSettings]) -> list[Sample]:
        """`num_return_sequences` texts after each of `prompts`, side by side, with the log p of every character.

        Each is the text that it would be alone. A sample's `symbols` are its characters, of a model of bytes its bytes.
        """
        config = sampling.config_of(settings)
        given = [prompts] if isinstance(prompts, str) else _strings("prompts", prompts)
        return list(self._write([self._known(prompt, 3) for prompt in given], config))

    def write(self, prompts: Sequence[str], config: sampling.SamplingConfig) -> Iterator[Sample]:
        """The texts of `samples`, one after another, each as soon as it and all before it have ended."""
        arguments.instance("config", config, sampling.SamplingConfig)
        return self._write([self._known(prompt, 3) for prompt in _strings("prompts", prompts)], config)

    def _write(self, prompts: list[Array], config: sampling.SamplingConfig) -> Iterator[Sample]:
        config = self._adapted(config, 4)
        texts = ((prompt, one) for prompt in prompts for one in config.texts())
        return generation.generate_all(self.generator(), texts)

    def stream(self, prompt: str, config: sampling.SamplingConfig) -> Iterator[str]:
        """The symbols of `sample` as they are written, one at a time (bytes mode: one byte each)."""
        return itertools.chain.from_iterable(self.pieces(prompt, config))

    def pieces(self, prompt: str, config: sampling.SamplingConfig) -> Iterator[str]:
        """The symbols of `stream` some at a time, as they come."""
        arguments.instance("config", config, sampling.SamplingConfig)
        return generation.stream_chunks(self.generator(), self._known(prompt, 4), self._adapted(config, 3))

    def generator(self) -> generation.Generator:
        """What writes any number of texts side by side; they may begin and end at any time."""
        return generation.Generator(self.stepper, self.vocabulary, self.document_end)

    def _known(self, prompt: str, stacklevel: int) -> Array:
        """The ids of the prompt's characters; a warning names those that the model does not know.

        If the model knows a canonical equivalent of a character, that is read, and a warning says so.
        """
        spelled, note = respell(arguments.text("prompt", prompt), self.vocabulary)
        if note is not None:
            warnings.warn(f"of the prompt {note}.", stacklevel=stacklevel)
        ids, unknown = self.vocabulary.encode_known(self.vocabulary.spell(spelled))
        if unknown:
            message = f"the model does not know {name_characters(unknown)}: left out of the prompt."
            warnings.warn(message, stacklevel=stacklevel)
        return ids

    def _adapted(self, config: sampling.SamplingConfig, stacklevel: int) -> sampling.SamplingConfig:
        """The settings that this model can follow; a warning names what it can never write."""
        adapted, unwritable = config.adapt(self.vocabulary)
        for one in unwritable:
            warnings.warn(str(one), stacklevel=stacklevel)
        return adapted

    def score(
        self,
        text: str,
        *,
        dynamic: DynamicConfig | str | None = None,
        learned: str | None = None,
        documents: str | None = None,
    ) -> scoring.Score:
        """How well the model predicts `text`: ln K for its first character, then -log p of each next one.

        A model of documents reads each line from a zero state and a newline, and so predicts the first character too.
        `documents` "none" has any model read the text as one, "lines" line by line; None: as the model was trained.
        Characters that the model does not know cost 24 bits and 8 for each of their UTF-8 bytes, and are skipped. If
        it knows a canonical equivalent (é as one character or as two), that is scored, and a warning says so.
        With `dynamic`, "sgd", "rms" or a DynamicConfig, it goes on learning while it reads, and is itself left as it
        is; "rms" wants the text that it has `learned`.
        Raises TextError where the text is empty or has a lone surrogate.
        """
        text = arguments.text("text", text)
        if not text:
            raise TextError("an empty text has no score.", hint="give a text of one character or more.")
        how = DynamicConfig(method=dynamic) if isinstance(dynamic, str) else dynamic
        if how is not None and not isinstance(how, DynamicConfig):
            raise arguments.invalid_argument("dynamic", '"sgd", "rms" or a DynamicConfig', how)
        text, note = respell(text, self.vocabulary)
        if note is not None:
            warnings.warn(f"of the text {note}.", stacklevel=2)
        known = None if learned is None else self._spelled(arguments.text("learned", learned))
        ids = None if known is None else self.vocabulary.encode_known(known)[0]
        found = self.surprises([self.vocabulary.spell(text)], how, ids, documents)
        return tally(found, is_bytes=self.vocabulary.is_bytes, keep=True)

    def _spelled(self, text: str) -> str:
        return self.vocabulary.spell(respell(text, self.vocabulary)[0])

    def surprises(
        self,
        pieces: Iterable[str],
        dynamic: DynamicConfig | None = None,
        learned: Ids | None = None,
        documents: str | None = None,
    ) -> Iterator[Surprise]:
        """What each symbol of a text costs, the text in `pieces` of this vocabulary's kind (see `Vocabulary.spell`).

        How it is cut changes no bit. `dynamic`, the ids that were `learned`, and `documents` as in `score`.
        """
        end = self.document_end if documents is None else self._end_of(documents)
        predictor: Predictor = (
            StaticPredictor(self.reader, self.zero_state(), end)
            if dynamic is None
            else create_dynamic_predictor(self.config, self.parameters, self.zero_state(), dynamic, learned, end)
        )
        return surprises(predictor, self.vocabulary, pieces, end)

    def _end_of(self, documents: str) -> int | None:
        """The id that ends each of `documents`; UsageError or ModelError where the model cannot read a text so."""
        documents = arguments.text("documents", documents)
        if documents not in DOCUMENTS:
            raise UsageError(f"`documents` must be one of {', '.join(DOCUMENTS)}; got {documents!r:.40}.")
        return _document_end(self.vocabulary, documents)

    def score_lines(self, text: str) -> Iterator[Line]:
        """Each line of `text` that is not empty, scored by itself: see `documents.score_lines`.

        The text is of this vocabulary's kind (see `Vocabulary.spell`).
        """
        return score_lines(self.reader, self.vocabulary, self.zero_state, arguments.text("text", text))

    def evaluate(self, ids: Ids) -> float:
        """Mean nats a character of held-out ids (N,), N >= 2: zero state, the first given, every other counted.

        Of a model of documents that of the lines: see `scoring.evaluate_documents`. TextError if all are empty.
        """
        ids = self._checked(ids)
        if self.document_end is not None:
            return scoring.evaluate_documents(self.reader, ids[:], self.document_end, self.zero_state)
        return scoring.evaluate(self.reader, ids, self.zero_state())

    def estimate(self, ids: Ids) -> float:
        """Nearly `evaluate`, faster where the text is long and the network large: see `scoring.estimate`."""
        if self.document_end is not None:  # whose lines are read side by side in any case
            return self.evaluate(ids)
        return scoring.estimate(self.reader, self._checked(ids), self.zero_state)

    def warm_up(self) -> None:
        """Have the kernels of `evaluate` and `estimate` compiled."""
        character = next((id_ for id_ in range(len(self.vocabulary)) if id_ != self.document_end), None)
        if character is not None:
            self.estimate(np.full(2, character))

    def _checked(self, ids: Ids) -> Ids:
        """Return `ids` as an array, unless they lie in a file; UsageError unless they are two or more of the model."""
        found = ids if isinstance(ids, IdFile) else _array("ids", ids)
        good = isinstance(found, IdFile) or (found.ndim == 1 and found.dtype.kind in "iu")
        if not good or len(found) < 2 or found.min() < 0 or found.max() >= len(self.vocabulary):
            raise UsageError(f"`ids` must be two or more ids from 0 to {len(self.vocabulary) - 1}.")
        return found

    def tensors(self) -> dict[str, Array]:
        """What a model file holds of the model."""
        parameters = {PREFIX + name: array for name, array in self.parameters.items()}
        return parameters | {"vocabulary": self.vocabulary.code_points}

    def metadata(self) -> dict[str, Any]:
        """What a model file says of the model."""
        found = {"format": MODEL_FORMAT, "model": self.config.to_table(), "bytes": self.vocabulary.is_bytes}
        return found if self.documents is None else found | {"documents": self.documents}

    def save(self, path: str | Path) -> None:
        """Write the model alone, without what a trainer would need to go on. Raises StorageError."""
        path = arguments.path("path", path)
        tensor_file.write(path, self.tensors(), self.metadata(), atomic_write.FILE_PLACE)


def _require_mapping(name: str, value: Any) -> None:
    """UsageError unless `value` has arrays by their names."""
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise arguments.invalid_argument(name, "a dict of arrays by name", value)


def _float32(name: str, value: Any) -> Array:
    """Return a copy of a parameter, rounded; ModelError where it is no array of real numbers."""
    found = np.asarray(_array(name, value))
    if found.dtype.kind not in "fiu":
        raise ModelError(f"parameter {name!r:.80} must be an array of numbers; got {arguments.short_repr(value)}.")
    return np.array(found, np.float32)


def _array(name: str, value: Any) -> Array:
    """Return the array of `value`; UsageError where it is none."""
    try:
        return np.asarray(value)
    except (ValueError, TypeError, RuntimeError):  # rows of different lengths; a tensor of PyTorch with a gradient
        raise arguments.invalid_argument(name, "an array", value) from None


def _require_state(state: Any) -> None:
    """UsageError unless `state` is a NamedTuple of arrays of real numbers, as `zero_state` returns it."""
    is_state = isinstance(state, tuple) and hasattr(state, "_fields")
    if not is_state or not all(isinstance(field, np.ndarray) and field.dtype.kind in "fiu" for field in state):
        raise arguments.invalid_argument("state", "a state such as `zero_state` returns", state)


def _strings(name: str, value: Any) -> list[str]:
    """Return a list of str."""
    if not isinstance(value, (list, tuple)):
        raise arguments.invalid_argument(name, "a str or a list of them", value)
    return [arguments.text(name, one) for one in value]


def named(tensors: dict[str, Array], prefix: str) -> dict[str, Array]:
    """The arrays of a file whose names begin with `prefix`, by the rest of their names."""
    return {name.removeprefix(prefix): array for name, array in tensors.items() if name.startswith(prefix)}


def from_tensors(path: Path, tensors: dict[str, Array], metadata: dict[str, Any]) -> LanguageModel:
    """The model in the file `path`, whose content this is: where an average of the parameters is kept, that."""
    written = metadata.get("format")
    if written != MODEL_FORMAT or isinstance(written, bool):
        raise ModelError(
            f"`{path}` has format {written!r:.40}; this version of recurra reads format {MODEL_FORMAT}.",
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
    """How training cut the text into documents, None where it did not.

    A file that was written before models recorded it may have the settings of the training.
    """
    training = metadata.get("training")
    settings = training if isinstance(training, dict) else {}
    documents = metadata.get("documents", settings.get("documents", NONE))
    return None if documents == NONE else documents


def _document_end(vocabulary: Vocabulary, documents: str | None) -> int | None:
    """The id that ends a document and begins the next; None without documents. ModelError where there is none."""
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
    """ModelError unless all is of the type that it should be, and nothing is there that should not be."""
    if not isinstance(metadata["model"], dict) or not isinstance(metadata["bytes"], bool):
        raise ModelError("`model` must be a table, `bytes` true or false.")
    for name, array in tensors.items():
        if name != "vocabulary" and not name.startswith((PREFIX, OPTIMIZER, STATE)):
            raise ModelError(f"unknown array {name!r:.80}.")
        expected = ("uint32",) if name == "vocabulary" else ("float32", "float64")
        if array.dtype.name not in expected:
            raise ModelError(f"{name!r:.80} must be {' or '.join(expected)}; got {array.dtype.name}.")


def _require_shapes(tensors: dict[str, Array], config: ModelConfig, symbols: int) -> None:
    """ModelError unless what training goes on with, KIND.NAME and KIND_weight of an optimizer, fits the parameters."""
    shapes = parameter_shapes(config, symbols)
    for name, array in tensors.items():
        good = True
        if name.startswith(OPTIMIZER):
            good = array.shape == shapes.get(name.split(".", 2)[-1], (1,))
        elif name.startswith(STATE):
            good = array.ndim == 3 and array.size > 0 and array.shape[::2] == (config.layers, config.hidden_size)
        if not good:
            raise ModelError(f"{name!r:.80} has a shape that does not fit the network: {array.shape}.")
