"""`/v1/completions` in this process: the texts of the command line, in OpenAI's format."""

from __future__ import annotations

import json
import math
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from recurra import LanguageModel
from recurra.serving.schemas import CompletionRequest
from recurra.serving.security import Guard
from serving_client import call


def ask(guard: Guard, **body: Any) -> httpx.Response:
    return call(guard, "POST", "/v1/completions", json=body)


def choices(guard: Guard, **body: Any) -> list[Any]:
    result = ask(guard, **body)
    assert result.status_code == 200, result.text
    got: list[Any] = result.json()["choices"]
    return got


def streamed(guard: Guard, **body: Any) -> list[Any]:
    """Return the JSON objects of a stream, which must end with [DONE]."""
    result = ask(guard, stream=True, **body)
    assert result.headers["content-type"].startswith("text/event-stream")
    lines = [line.removeprefix("data: ") for line in result.text.split("\n\n") if line]
    assert lines[-1] == "[DONE]"
    return [json.loads(line) for line in lines[:-1]]


def joined(chunks: list[Any], index: int = 0) -> tuple[str, dict[str, list[Any]], str | None]:
    """Join the chunks of one choice: return its text, log-probabilities and finish reason."""
    reference = [choice for chunk in chunks for choice in chunk["choices"] if choice["index"] == index]
    logs: dict[str, list[Any]] = {}
    for choice in reference:
        for name, values in (choice["logprobs"] or {}).items():
            logs.setdefault(name, []).extend(values or [])
    assert all(choice["finish_reason"] is None for choice in reference[:-1])
    return "".join(choice["text"] for choice in reference), logs, reference[-1]["finish_reason"]


SETTINGS: list[dict[str, Any]] = [
    {},
    {"temperature": 0.0},
    {"temperature": 0.5, "top_k": 5},
    {"top_p": 0.7},
    {"min_p": 0.1, "repetition_penalty": 1.3},
    {"stop": ["e ", "w"]},
]


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("name", ["small", "bytes"])
def test_text_equals_sample(
    guard: Guard, model: LanguageModel, bytes_model: LanguageModel, settings: dict[str, Any], name: str
) -> None:
    reference = {"small": model, "bytes": bytes_model}[name]
    expected = reference.sample("In the", max_new_tokens=90, seed=7, **settings)
    result = choices(guard, model=name, prompt="In the", max_tokens=90, seed=7, **settings)
    assert [one["text"] for one in result] == [expected]
    text, _, ended = joined(streamed(guard, model=name, prompt="In the", max_tokens=90, seed=7, **settings))
    assert (text, ended) == (expected, result[0]["finish_reason"])


def test_choices_have_consecutive_seeds(guard: Guard, model: LanguageModel) -> None:
    result = choices(guard, prompt=["In", "the"], n=3, max_tokens=20, seed=5)
    expected = [model.sample(prompt, max_new_tokens=20, seed=5 + i) for prompt in ("In", "the") for i in range(3)]
    assert [one["text"] for one in result] == expected
    assert [one["index"] for one in result] == list(range(6))
    assert [one["seed"] for one in result] == [5, 6, 7, 5, 6, 7]
    chunks = streamed(guard, prompt=["In", "the"], n=3, max_tokens=20, seed=5)
    assert [joined(chunks, index)[0] for index in range(6)] == expected


def test_best_of_equals_sample_and_rejects_streams(guard: Guard, model: LanguageModel) -> None:
    expected = [model.sample(one, max_new_tokens=20, seed=1, best_of=9) for one in ("In", "at")]
    assert [one["text"] for one in choices(guard, prompt=["In", "at"], best_of=9, max_tokens=20, seed=1)] == expected
    assert expected[0] != model.sample("In", max_new_tokens=20, seed=1)
    for wrong in ({"n": 2, "best_of": 3}, {"best_of": 2, "stream": True}):
        result = ask(guard, **wrong)
        assert (result.status_code, result.json()["error"]["param"]) == (422, "best_of")


def test_prompt_ids_equal_the_prompt_text(guard: Guard, model: LanguageModel) -> None:
    ids = model.vocabulary.encode("In the").tolist()
    expected = choices(guard, prompt=["In the"], max_tokens=30, seed=3)
    assert choices(guard, prompt=ids, max_tokens=30, seed=3) == expected
    assert choices(guard, prompt=[ids], max_tokens=30, seed=3) == expected
    result = ask(guard, prompt=[len(model.vocabulary)])
    assert result.status_code == 422
    assert "the model's vocabulary, which has ids 0 to" in result.json()["error"]["message"]


def test_response_has_the_drawn_seed(guard: Guard) -> None:
    first = choices(guard, max_tokens=50)[0]
    assert first["text"] == choices(guard, max_tokens=50, seed=first["seed"])[0]["text"]
    assert first["text"] != choices(guard, max_tokens=50)[0]["text"]


def test_null_selects_the_default(guard: Guard) -> None:
    names = [
        "max_tokens",
        "temperature",
        "top_p",
        "top_k",
        "min_p",
        "repetition_penalty",
        "n",
        "best_of",
        "stop",
        "echo",
    ]
    names += [
        "logprobs",
        "stream",
        "stream_options",
        "user",
        "suffix",
        "presence_penalty",
        "frequency_penalty",
        "model",
    ]
    nulls = dict.fromkeys([*names, "logit_bias"])
    result = choices(guard, prompt="In", seed=1, **nulls)
    assert result == choices(guard, prompt="In", seed=1)
    assert len(result[0]["text"]) == 16


def test_float_without_fraction_is_an_integer(guard: Guard) -> None:
    expected = choices(guard, prompt=[1, 2], max_tokens=20, seed=3)
    body = '{"prompt": [1.0, 2.0], "max_tokens": 20.0, "seed": 3e0}'
    result = call(guard, "POST", "/v1/completions", content=body, headers={"Content-Type": "application/json"})
    assert result.json()["choices"] == expected


def test_response_has_the_fields_of_openai(guard: Guard) -> None:
    result = ask(guard, prompt="In the", max_tokens=4, seed=0, user="someone").json()
    assert set(result) == {"id", "object", "created", "model", "choices", "usage", "warnings"}
    assert (result["object"], result["model"], result["warnings"]) == ("text_completion", "small", [])
    assert result["usage"] == {"prompt_tokens": 6, "completion_tokens": 4, "total_tokens": 10}
    assert result["choices"][0]["logprobs"] is None
    assert result["choices"][0]["finish_reason"] == "length"


def test_last_event_of_a_stream_has_the_usage(guard: Guard) -> None:
    chunks = streamed(guard, prompt="In the", max_tokens=40, stream_options={"include_usage": True})
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"] == {"prompt_tokens": 6, "completion_tokens": 40, "total_tokens": 46}
    assert all(chunk["usage"] is None for chunk in chunks[:-1])
    assert len({chunk["id"] for chunk in chunks}) == 1
    assert len(chunks) > 3


@pytest.mark.parametrize("likeliest", [0, 1, 3, 20])
@pytest.mark.parametrize("name", ["small", "bytes"])
def test_logprobs_equal_those_of_samples(
    guard: Guard, model: LanguageModel, bytes_model: LanguageModel, likeliest: int, name: str
) -> None:
    reference = {"small": model, "bytes": bytes_model}[name]
    fields: dict[str, Any] = {"model": name, "prompt": "In the", "max_tokens": 60, "seed": 2, "logprobs": likeliest}
    result = choices(guard, **fields)[0]
    sample = reference.samples("In the", max_new_tokens=60, seed=2)[0]
    logs = result["logprobs"]
    assert logs["token_logprobs"] == pytest.approx(sample.log_probabilities.tolist(), abs=1e-6)
    assert len(logs["tokens"]) == len(logs["text_offset"]) == 60
    if not reference.vocabulary.is_bytes:
        assert "".join(logs["tokens"]) == result["text"] == sample.symbols
        assert logs["text_offset"] == list(range(60))
    assert joined(streamed(guard, **fields))[:2] == (
        result["text"],
        logs | {"top_logprobs": logs["top_logprobs"] or []},
    )
    if not likeliest:
        assert logs["top_logprobs"] is None
        return
    for token, log, top in zip(logs["tokens"], logs["token_logprobs"], logs["top_logprobs"], strict=True):
        assert top[token] == log
        assert len(top) in (min(likeliest, len(reference.vocabulary)), likeliest + 1)
        assert max(top.values()) == next(iter(top.values()))


def test_top_logprobs_equal_the_model(guard: Guard, model: LanguageModel) -> None:
    """Compare all probabilities at one position with the model, which reads a newline before the prompt."""
    result = choices(guard, prompt="In", max_tokens=1, logprobs=20)[0]["logprobs"]["top_logprobs"][0]
    ids = model.vocabulary.encode("\nIn")
    logs, _ = model.reader.log_probabilities(ids, model.zero_state())
    expected = {model.vocabulary.symbols[k]: float(logs[-1][k]) for k in range(len(model.vocabulary))}
    for token, log in result.items():
        assert log == pytest.approx(expected[token], abs=1e-6)
    assert sum(map(math.exp, result.values())) <= 1 + 1e-6


@pytest.mark.parametrize("text", ["In the beginning", "I", "ßIn the ß日 word", "ß", "the\nword\n" * 300])
@pytest.mark.parametrize("name", ["small", "bytes"])
@pytest.mark.parametrize("stream", [False, True])
def test_log_probabilities_of_an_echo_sum_to_the_score(
    guard: Guard, model: LanguageModel, bytes_model: LanguageModel, text: str, name: str, stream: bool
) -> None:
    reference = {"small": model, "bytes": bytes_model}[name]
    fields: dict[str, Any] = {"model": name, "prompt": text, "max_tokens": 0, "echo": True, "logprobs": 1}
    if stream:
        echoed, logs, ended = joined(streamed(guard, **fields))
    else:
        result = choices(guard, **fields)[0]
        echoed, logs, ended = result["text"], result["logprobs"], result["finish_reason"]
    assert (echoed, ended) == (text, "length")
    score = reference.score(text)
    known = score.characters > score.unknown_characters
    assert logs["token_logprobs"].count(None) == known
    nats = known * math.log(len(reference.vocabulary)) - math.fsum(
        log for log in logs["token_logprobs"] if log is not None
    )
    assert nats == pytest.approx(score.nats, abs=1e-6)
    assert len(logs["tokens"]) == score.characters
    if text.isascii():
        assert logs["token_logprobs"][0] is None
        assert logs["top_logprobs"][0] is None
        assert all(
            max(top.values()) >= log
            for top, log in list(zip(logs["top_logprobs"], logs["token_logprobs"], strict=True))[1:]
        )


def test_top_logprobs_at_an_unknown_character(guard: Guard) -> None:
    fields: dict[str, Any] = {"max_tokens": 0, "echo": True, "logprobs": 3}
    logs = choices(guard, prompt="ßInßß th日", **fields)[0]["logprobs"]
    plain = choices(guard, prompt="In the", **fields)[0]["logprobs"]
    assert logs["top_logprobs"][:2] == [None, None]
    assert [log is None for log in logs["token_logprobs"]] == [False, True] + [False] * 7
    for place in (3, 4):
        expected = list(plain["top_logprobs"][2].items())[:3]
        assert list(logs["top_logprobs"][place].items()) == [*expected, ("ß", logs["token_logprobs"][place])]
    assert list(logs["top_logprobs"][8].items())[:3] == list(plain["top_logprobs"][5].items())[:3]
    assert logs["token_logprobs"][8] == pytest.approx(-(24 + 3 * 8) * math.log(2))
    assert choices(guard, prompt="ß", **fields)[0]["logprobs"]["top_logprobs"] == [None]


def test_echo_of_ids_equals_echo_of_text(guard: Guard, model: LanguageModel) -> None:
    ids = model.vocabulary.encode("In the").tolist()
    fields: dict[str, Any] = {"max_tokens": 0, "echo": True, "logprobs": 2}
    assert (
        choices(guard, prompt=ids, **fields)[0]["logprobs"] == choices(guard, prompt="In the", **fields)[0]["logprobs"]
    )


def test_echo_with_one_generated_token(guard: Guard, model: LanguageModel) -> None:
    """Send the request of an evaluation harness: echo a prompt and generate one token greedily."""
    fields: dict[str, Any] = {
        "prompt": ["In the", "a word"],
        "temperature": 0,
        "max_tokens": 1,
        "logprobs": 1,
        "echo": True,
    }
    for one, prompt in zip(choices(guard, **fields, seed=1234), fields["prompt"], strict=True):
        logs = one["logprobs"]
        assert one["text"] == prompt + model.sample(prompt, max_new_tokens=1, temperature=0)
        assert {len(values) for values in logs.values()} == {7}
        assert logs["text_offset"] == list(range(7))
        assert logs["token_logprobs"][-1] == max(logs["top_logprobs"][-1].values())
        assert -math.fsum(logs["token_logprobs"][1:-1]) == pytest.approx(
            model.score(prompt).nats - math.log(len(model.vocabulary)), abs=1e-6
        )


def test_bytes_are_streamed_as_whole_characters(guard: Guard, bytes_model: LanguageModel) -> None:
    fields: dict[str, Any] = {
        "model": "bytes",
        "prompt": "é",
        "max_tokens": 400,
        "seed": 4,
        "echo": True,
        "logprobs": 0,
    }
    chunks = streamed(guard, **fields)
    text, logs, _ = joined(chunks)
    assert text == "é" + bytes_model.sample("é", max_new_tokens=400, seed=4)
    assert text == choices(guard, **fields)[0]["text"]
    assert logs["tokens"][:2] == ["bytes:\\xc3", "bytes:\\xa9"]
    assert logs["text_offset"][:2] == [0, 0]
    assert logs["text_offset"] == sorted(logs["text_offset"])
    assert len(logs["tokens"]) == 402


def test_unknown_characters_are_omitted_with_a_warning(guard: Guard, model: LanguageModel) -> None:
    result = ask(guard, prompt="Inß the", max_tokens=20, seed=1).json()
    assert result["choices"][0]["text"] == model.sample("In the", max_new_tokens=20, seed=1)
    assert result["warnings"] == ["prompt 0: characters outside the model's vocabulary are omitted: 'ß' (U+00DF)."]
    assert result["usage"]["prompt_tokens"] == 6


def test_zero_tokens_give_an_empty_text(guard: Guard) -> None:
    for fields in ({"max_tokens": 0}, {"max_tokens": 0, "n": 2, "prompt": ["a", ""]}):
        result = choices(guard, **fields)
        assert {(one["text"], one["finish_reason"]) for one in result} == {("", "length")}
    assert joined(streamed(guard, max_tokens=0)) == ("", {}, "length")
    assert choices(guard, prompt="", max_tokens=0, echo=True, logprobs=1)[0]["logprobs"]["tokens"] == []


WRONG: list[tuple[str, Any]] = [
    ("model", 3), ("prompt", 3), ("prompt", []), ("prompt", [[]]), ("prompt", [""] * 129), ("prompt", ["a", 1]),
    ("prompt", [-1]), ("prompt", [10**30]), ("prompt", [True]), ("prompt", [1.5]), ("prompt", {"a": 1}),
    ("prompt", "x" * 65_537), ("prompt", ["x" * 40_000] * 2), ("max_tokens", -2), ("max_tokens", 65_537),
    ("max_tokens", "16"), ("max_tokens", True), ("max_tokens", 1.5), ("max_tokens", 10**40), ("temperature", -0.1),
    ("temperature", 101), ("temperature", math.nan), ("temperature", math.inf), ("temperature", "1"), ("top_p", -0.1),
    ("top_p", 1.1), ("top_p", math.nan), ("min_p", 1.1), ("min_p", -math.inf), ("top_k", -2), ("top_k", 0.5),
    ("repetition_penalty", 0), ("repetition_penalty", 101), ("n", 0), ("n", 257), ("best_of", 0), ("best_of", 257),
    ("stop", ["a"] * 65), ("stop", "x" * 65), ("stop", ["x" * 65]), ("stop", 1), ("seed", 10**21), ("seed", -(10**21)),
    ("seed", 1.5), ("logprobs", -1), ("logprobs", 21), ("logprobs", "1"), ("echo", 1), ("stream", "yes"),
    ("top_logprobs", 21),
    ("stream_options", {"include_usage": 1}), ("suffix", "x"), ("presence_penalty", 2.5), ("frequency_penalty", -3),
    ("logit_bias", {"50256": "x"}), ("user", "x" * 1025), ("messages", []), ("max_completion_tokens", -2),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value"), WRONG, ids=lambda value: repr(value)[:30])
def test_value_out_of_range_is_an_error(guard: Guard, name: str, value: Any) -> None:
    body = json.dumps({name: value})
    result = call(guard, "POST", "/v1/completions", content=body, headers={"Content-Type": "application/json"})
    error = result.json()["error"]
    assert (result.status_code, error["param"], error["type"]) == (422, name, "invalid_request_error")
    assert len(result.content) < 500


@pytest.mark.parametrize(
    ("body", "param", "words"),
    [
        ({"prompt": ["a"] * 100, "n": 3}, "n", "300 choices (prompts times `n` or `best_of`); the maximum is 256"),
        (
            {"prompt": ["a"] * 10, "best_of": 26},
            "n",
            "260 choices (prompts times `n` or `best_of`); the maximum is 256",
        ),
        (
            {"n": 17, "max_tokens": 65_536},
            "max_tokens",
            "1,114,112 tokens to read and generate in all choices; the maximum is 1,048,576",
        ),
        (
            {"prompt": "x" * 65_536, "n": 16},
            "max_tokens",
            "tokens to read and generate in all choices; the maximum is 1,048,576",
        ),
        (
            {"max_tokens": 65_536, "logprobs": 3},
            "logprobs",
            "196,608 log-probabilities (tokens times `logprobs`); the maximum is 131,072",
        ),
        ({"prompt": "x" * 60_000, "n": 3, "max_tokens": 0, "echo": True, "logprobs": 1}, "logprobs", "131,072"),
    ],
)
def test_fields_that_together_exceed_a_limit_are_an_error(
    guard: Guard, body: dict[str, Any], param: str, words: str
) -> None:
    result = ask(guard, **body)
    assert (result.status_code, result.json()["error"]["param"]) == (422, param)
    assert words in result.json()["error"]["message"]


@pytest.mark.parametrize(
    "body",
    [
        {f"k{number}": 1 for number in range(60_000)},
        {"prompt": ["a"] * 60_000},
        {"prompt": [["a"] * 1500] * 100},
        {"prompt": [[[]] * 60_000]},
    ],
    ids=["fields", "strings", "lists", "nothing"],
)
def test_huge_invalid_body_has_few_errors(body: dict[str, Any]) -> None:
    """One error for each invalid part would block the event loop for a second."""
    with pytest.raises(ValidationError) as caught:
        CompletionRequest.model_validate(body)
    assert caught.value.error_count() < 5


def test_unsupported_suffix_is_an_error(guard: Guard) -> None:
    assert "`suffix`: " in ask(guard, suffix="x").json()["error"]["message"]


def test_unknown_model_is_status_404(guard: Guard) -> None:
    result = ask(guard, model="gpt-3.5-turbo-instruct")
    assert (result.status_code, result.json()["error"]["code"]) == (404, "model_not_found")
