"""Every public function accepts NumPy's scalars and raises an error of this package for a wrong type."""

from __future__ import annotations

import dataclasses
import inspect
import io
import math
import typing
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import recurra
from recurra import LanguageModel, ModelConfig, RecurraError, SamplingConfig, TrainingConfig, UsageError, Vocabulary
from recurra.config import ModelSettings, TrainingSettings
from recurra.inference.dynamic_evaluation import DynamicConfig
from recurra.inference.sampling_options import SamplingSettings
from recurra.network.parameters import initialize

TEXT = "bad cab\nbed ace\ndeb abe\nabba cede\n" * 4
VOCABULARY = Vocabulary.of(TEXT)
CONFIG = ModelConfig(hidden_size=8)
PARAMETERS = initialize(CONFIG, len(VOCABULARY), seed=1, scale=0.5)
MODEL = LanguageModel(CONFIG, VOCABULARY, PARAMETERS)
IDS = VOCABULARY.encode(TEXT)
INPUTS = IDS[:12].reshape(-1, 2)
TINY: dict[str, Any] = {"hidden_size": 8, "sequence_length": 5, "updates": 1, "report": False, "proof": False}

WRONG: list[Any] = [
    None, True, 3, -1, 2.5, math.nan, 10**400, "", "\0", "\ud800", b"abc", bytearray(b"abc"), [], {}, set(), [1], ["a"],
    [None],
    [[1], [1, 2]], (), object(), len, Path("nowhere"), np.int64(5), np.float32(0.5), np.bool_(True), np.str_("a"),
    np.array([1.5, 2.5]), np.array(["a"]), np.zeros((2, 2, 2)), np.array(None), np.array("x"), 1j, Exception, MODEL,
    CONFIG,
]  # fmt: skip

CALLS: dict[str, Callable[..., Any]] = {
    "train": lambda **named: recurra.train(**{"text": TEXT, **TINY, **named}),
    "train from sources": lambda **named: recurra.train(**TINY, **named),
    "load": recurra.load,
    "export": lambda **named: recurra.export(**{"model": MODEL, "path": "out", "force": True, **named}),
    "import_model": lambda **named: recurra.import_model(**{"path": "nowhere", **named}),
    "novelty": lambda **named: recurra.novelty(**{"sample": "abc", "text": TEXT, **named}),
    "read_training_text": recurra.read_training_text,
    "score": lambda **named: recurra.score(**{"model": MODEL, "text": "abc", "dynamic": "sgd", **named}),
    "evaluate": lambda **named: recurra.evaluate(**{"models": MODEL, "text": "abc", **named}),
    "baselines": lambda **named: recurra.baselines(**{"text": TEXT, "model": MODEL, **named}),
    "compress": lambda **named: recurra.compress(
        **{"source": io.BytesIO(b"a"), "target": io.BytesIO(), "model": MODEL, **named}
    ),
    "decompress": lambda **named: recurra.decompress(**{"source": io.BytesIO(b"a"), "target": io.BytesIO(), **named}),
    "check": lambda **named: recurra.check(**{"model": "nowhere", **named}),
    "compare_gradients": lambda **named: recurra.compare_gradients(**{"path": "nowhere", **named}),
    "write_gradient_problem": lambda **named: recurra.write_gradient_problem(
        **{"path": "out.npz", "text": TEXT, "hidden_size": 4, "sequence_length": 5, "force": True, **named}
    ),
    "serve": lambda **named: recurra.serve(**{"models": "nowhere", **named}),
    "write_report": lambda **named: recurra.write_report(**{"runs": "nowhere", **named}),
    "ModelConfig": ModelConfig,
    "TrainingConfig": TrainingConfig,
    "SamplingConfig": SamplingConfig,
    "DynamicConfig": DynamicConfig,
    "LanguageModel": lambda **named: LanguageModel(
        **{"config": CONFIG, "vocabulary": VOCABULARY, "parameters": PARAMETERS, **named}
    ),
    "parameter": lambda value: LanguageModel(CONFIG, VOCABULARY, {**PARAMETERS, "V": value}),
    "LanguageModel.with_parameters": MODEL.with_parameters,
    "LanguageModel.extended": lambda **named: MODEL.extended(**{"vocabulary": Vocabulary.of("xyz"), **named}),
    "LanguageModel.zero_state": MODEL.zero_state,
    "LanguageModel.loss_and_gradients": lambda **named: MODEL.loss_and_gradients(
        **{"inputs": INPUTS, "targets": INPUTS, **named}
    ),
    "LanguageModel.sample": lambda **named: MODEL.sample(**{"max_new_tokens": 2, **named}),
    "LanguageModel.samples": lambda **named: MODEL.samples(**{"max_new_tokens": 2, **named}),
    "LanguageModel.write": lambda **named: list(
        MODEL.write(**{"prompts": ["a"], "config": SamplingConfig(max_new_tokens=2), **named})
    ),
    "LanguageModel.stream": lambda **named: list(
        MODEL.stream(**{"prompt": "a", "config": SamplingConfig(max_new_tokens=2), **named})
    ),
    "LanguageModel.pieces": lambda **named: list(
        MODEL.pieces(**{"prompt": "a", "config": SamplingConfig(max_new_tokens=2), **named})
    ),
    "LanguageModel.score": lambda **named: MODEL.score(**{"text": "abc", **named}),
    "LanguageModel.score_lines": lambda **named: list(MODEL.score_lines(**named)),
    "LanguageModel.evaluate": MODEL.evaluate,
    "LanguageModel.estimate": MODEL.estimate,
    "LanguageModel.save": MODEL.save,
    "Vocabulary": Vocabulary,
    "Vocabulary.of": Vocabulary.of,
    "Vocabulary.from_code_points": lambda **named: Vocabulary.from_code_points(**{"code_points": [97], **named}),
    "Vocabulary.extended": VOCABULARY.extended,
    "Vocabulary.encode": VOCABULARY.encode,
    "Vocabulary.encode_known": VOCABULARY.encode_known,
    "Vocabulary.look_up": VOCABULARY.look_up,
    "Vocabulary.decode": VOCABULARY.decode,
    "Vocabulary.spell": VOCABULARY.spell,
    "Vocabulary.unspell": VOCABULARY.unspell,
}
DEFAULT_BOOK = [
    ("train", "text", "None"),
    ("train from sources", "sources", "[]"),
    ("train from sources", "sources", "()"),
    ("check", "model", "None"),
    ("baselines", "text", "None"),
    ("write_gradient_problem", "text", "None"),
]
FUNCTIONS = ("announce", "watch", "progress")  # those that are given are called
SAMPLING = tuple(SamplingSettings.__annotations__)
ARGUMENTS: dict[str, tuple[str, ...]] = {
    "train": (
        "text", "start", "extend_vocabulary", "run", "force", "resume", "encoding", "proof", "report", "listeners",
        "announce", "hidden_size", "learning_rate", "time_limit", "preset", "documents",
    ),
    "train from sources": ("sources",),
    "load": ("path",),
    "export": ("model", "path", "format", "force"),
    "import_model": (
        "path", "vocabulary", "sources", "encoding", "activation", "recurrent", "projection", "embedding", "output",
        "force",
    ),
    "read_training_text": ("model",),
    "score": (
        "model", "sources", "text", "encoding", "dynamic", "dynamic_rate", "documents", "per_character",
    ),
    "evaluate": (
        "models", "sources", "text", "encoding", "dynamic", "dynamic_rate", "documents", "baselines", "watch",
        "progress",
    ),
    "baselines": ("sources", "text", "encoding", "model"),
    "compress": ("source", "target", "model", "force", "progress"),
    "decompress": ("source", "target", "model", "salvage", "force", "progress"),
    "check": (
        "model", "sources", "text", "encoding", "every", "complete", "announce", "progress", "cell", "preset", "seed",
    ),
    "compare_gradients": ("path",),
    "write_gradient_problem": (
        "path", "sources", "text", "encoding", "force", "hidden_size", "sequence_length", "preset", "seed",
    ),
    "serve": ("models", "host", "port", "allow_hosts", "api_key_file", "announce"),
    "write_report": ("runs", "output", "with_model", "figures", "format", "tables", "table_format"),
    "novelty": ("sample", "text", "passages"),
    "ModelConfig": tuple(ModelSettings.__annotations__),
    "TrainingConfig": tuple(TrainingSettings.__annotations__),
    "SamplingConfig": SAMPLING,
    "DynamicConfig": ("method", "rate", "decay", "segment"),
    "LanguageModel": ("config", "vocabulary", "parameters", "documents"),
    "parameter": ("value",),
    "LanguageModel.with_parameters": ("changed",),
    "LanguageModel.extended": ("vocabulary", "seed"),
    "LanguageModel.zero_state": ("batch",),
    "LanguageModel.loss_and_gradients": ("inputs", "targets", "state"),
    "LanguageModel.sample": ("prompt", *SAMPLING),
    "LanguageModel.samples": ("prompts", "stop"),
    "LanguageModel.write": ("prompts", "config"),
    "LanguageModel.stream": ("prompt", "config"),
    "LanguageModel.pieces": ("prompt", "config"),
    "LanguageModel.score": ("text", "dynamic", "learned", "documents"),
    "LanguageModel.score_lines": ("text",),
    "LanguageModel.evaluate": ("ids",),
    "LanguageModel.estimate": ("ids",),
    "LanguageModel.save": ("path",),
    "Vocabulary": ("code_points",),
    "Vocabulary.of": ("text",),
    "Vocabulary.from_code_points": ("code_points", "is_bytes"),
    "Vocabulary.extended": ("other",),
    "Vocabulary.encode": ("text",),
    "Vocabulary.encode_known": ("text",),
    "Vocabulary.look_up": ("text",),
    "Vocabulary.decode": ("ids",),
    "Vocabulary.spell": ("text",),
    "Vocabulary.unspell": ("symbols",),
}  # fmt: skip


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(("call", "name"), [(call, name) for call, names in ARGUMENTS.items() for name in names])
@pytest.mark.filterwarnings(
    "ignore:the vocabulary of the model lacks",
    "ignore:`stop` contains",
    "ignore:`ban` contains",
    "ignore:`allow` contains",
)
@pytest.mark.filterwarnings("ignore:dynamic evaluation by sgd", "ignore:NUL characters")
def test_value_of_any_type_gives_result_or_recurra_error(call: str, name: str) -> None:
    refused = 0
    for value in WRONG:
        if (call, name, repr(value)) in DEFAULT_BOOK:
            continue  # the default book would be read
        if name in FUNCTIONS and callable(value):
            continue
        try:
            CALLS[call](**{name: value})
        except RecurraError:
            refused += 1
    assert refused > len(WRONG) // 3


def public_functions() -> Iterator[str]:
    """Return the public functions and methods, without those of errors and results."""
    for name in recurra.__all__:
        value = getattr(recurra, name)
        if inspect.isfunction(value):
            yield name
        elif value in (LanguageModel, Vocabulary):
            for method, own in vars(value).items():
                function = own.__func__ if isinstance(own, classmethod) else own
                if (
                    not method.startswith("_")
                    and inspect.isfunction(function)
                    and len(inspect.signature(function).parameters) > 1
                ):
                    yield f"{name}.{method}"


def test_every_public_function_is_in_the_table() -> None:
    assert set(public_functions()) - set(ARGUMENTS) == {
        "LanguageModel.surprises"
    }  # its pieces come from `Vocabulary.spell`


MESSAGES: list[tuple[str, dict[str, Any], str, str | None]] = [
    ("LanguageModel.score", {"text": b"abc"}, r"`text` must be a str; got b'abc'\.", "bytes: `data.decode()`, if"),
    ("LanguageModel.score", {"dynamic": True}, r'`dynamic` must be "sgd", "rms" or a DynamicConfig; got True\.', None),
    ("LanguageModel.sample", {"prompt": None}, r"`prompt` must be a str; got None\.", None),
    ("load", {"path": None}, r"`path` must be a path, as a str or a pathlib\.Path; got None\.", None),
    ("train from sources", {"sources": 3}, r"`sources` must be a book's name, a file or a folder, or a list", None),
    ("train", {"listeners": len}, r"`listeners` must be a list of functions; got <built-in", "`listeners=[function]`"),
    ("score", {"dynamic": 3}, r'`dynamic` must be True, False, "sgd", "rms" or a DynamicConfig; got 3\.', None),
    ("evaluate", {"watch": 3}, r"`watch` must be a function or None; got 3\.", None),
    ("compress", {"source": io.StringIO()}, r"`source` must be a path or a binary file object; got <", 'the mode "rb"'),
    ("serve", {"port": 65536}, r"`port` must be a whole number from 0 to 65,535; got 65536\.", None),
    ("train", {"force": 1}, r"`force` must be True or False; got 1\.", None),
    ("train", {"text": b"abc"}, r"`text` must be a str; got b'abc'\.", "decode the bytes"),
    ("export", {"model": 3}, r"`model` must be a path, as a str or a pathlib\.Path; got 3\.", None),
    ("novelty", {"passages": 1.5}, r"`passages` must be a whole number from 0 to 1,000,000; got 1\.5\.", None),
    ("LanguageModel.evaluate", {"ids": [0.5, 1]}, r"`ids` must be two or more ids from 0 to 6\.", None),
    ("Vocabulary", {"code_points": "abc"}, r"`code_points` must be a one-dim.*; got 'abc'\.", "`Vocabulary.of"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "named", "message", "hint"), MESSAGES)
def test_the_message_says_what_is_expected(call: str, named: dict[str, Any], message: str, hint: str | None) -> None:
    with pytest.raises(UsageError, match=f"^{message}") as caught:
        CALLS[call](**named)
    if hint is None:
        assert caught.value.hint is None
    else:
        assert hint in str(caught.value.hint)


def test_numpy_scalars_are_numbers_strings_and_truth_values() -> None:
    plain: dict[str, Any] = {"max_new_tokens": 9, "temperature": 0.5, "top_k": 3, "seed": 5, "ban": "c", "stop": ["ba"]}
    numpy: dict[str, Any] = {
        "max_new_tokens": np.int64(9), "temperature": np.float32(0.5), "top_k": np.uint8(3), "seed": np.array(5),
        "ban": np.str_("c"), "stop": [np.str_("ba")],
    }  # fmt: skip
    five: Any = np.int64(5)
    half: Any = np.float32(0.5)
    assert MODEL.sample(np.str_("ab"), **numpy) == MODEL.sample("ab", **plain)
    for config in (SamplingConfig(**numpy), TrainingConfig(seed=five, learning_rate=np.float64(0.1)), CONFIG):
        for field in dataclasses.fields(config):
            assert type(getattr(config, field.name)).__module__ == "builtins", field.name
    settings = {
        **TINY, "force": np.bool_(False), "hidden_size": np.int32(8), "updates": np.int64(1),
        "learning_rate": np.float32(0.125),
    }  # fmt: skip
    run = recurra.train(text=np.str_(TEXT), run=Path("a"), seed=five, **settings)
    same = recurra.train(text=TEXT, run=np.str_("b"), seed=5, **{**TINY, "learning_rate": 0.125})
    assert run.summary["model_sha256"] == same.summary["model_sha256"]
    assert DynamicConfig(rate=half, segment=five).segment == 5
    assert recurra.novelty(np.str_("abb"), TEXT, passages=five).longest == 3
    assert MODEL.zero_state(five).h.shape == (1, 5, 8)
    assert MODEL.evaluate(IDS.tolist()) == MODEL.evaluate(IDS)


def test_unknown_keyword_error_suggests_nearest() -> None:
    with pytest.raises(UsageError, match=r"^unknown setting `temprature`\.") as caught:
        MODEL.sample("a", temprature=0.7)  # type: ignore[call-arg]
    assert str(caught.value.hint).startswith("did you mean `temperature`? the settings are allow, ban, best_of, ")
    with pytest.raises(UsageError, match=r"^unknown setting `maxtokens`\."):
        MODEL.samples("a", maxtokens=7)  # type: ignore[call-arg]
    with pytest.raises(UsageError, match=r"^unknown setting `updatez`\.") as caught:
        recurra.train(text=TEXT, updatez=3)  # type: ignore[call-arg]
    assert str(caught.value.hint).startswith("did you mean `updates`? ")
    with pytest.raises(UsageError, match=r"^unknown setting `qqqq`\.") as caught:
        recurra.train(text=TEXT, qqqq=3)  # type: ignore[call-arg]
    assert str(caught.value.hint).startswith("the settings are activation, ")


WIDER = {"stop": "str | Sequence[str]", "time_limit": "float | str | None", "checkpoint_every": "float | str"}


@pytest.mark.parametrize(
    ("settings", "config"),
    [(SamplingSettings, SamplingConfig), (ModelSettings, ModelConfig), (TrainingSettings, TrainingConfig)],
)
def test_keywords_for_type_checkers_are_the_fields(settings: Any, config: Any) -> None:
    """The type of a field may be narrower than its keyword, which may accept a second notation."""
    keywords = {name: kind.__forward_arg__ for name, kind in settings.__annotations__.items()}
    fields = {field.name: field.type for field in dataclasses.fields(config)}
    words = {name: "float | str | None" for name, kind in fields.items() if kind == "float | None"}
    assert keywords == fields | {name: kind for name, kind in (WIDER | words).items() if name in fields}
    assert list(keywords) == list(fields)
    assert not typing.get_type_hints(settings).keys() & inspect.signature(recurra.train).parameters.keys()


def test_run_and_score_have_short_repr() -> None:
    run = recurra.train(text=TEXT, run="x" * 200, **TINY)
    assert len(repr(run)) <= 300
    assert repr(run).startswith(f"<Run: folder '…{'x' * 80}', 1 updates, smooth_loss ")
    assert repr(MODEL.score("abcé")).startswith("<Score: ")
    assert f"{MODEL.score('abcé').bits_per_character:.4f} bits_per_character, 4 characters, 1 unknown>" in repr(
        MODEL.score("abcé")
    )
