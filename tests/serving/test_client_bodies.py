"""Bodies of common clients of OpenAI-compatible servers: accepted, with a warning for each field without effect."""

from __future__ import annotations

from typing import Any

import pytest

from recurra import LanguageModel
from recurra.serving import limits
from recurra.serving.responses import HTTPError
from recurra.serving.schemas import CompletionRequest
from recurra.serving.security import Guard
from recurra.serving.validation import validate
from serving_client import call

COMPLETIONS = "/v1/completions"

# The body of each client, and the fields that `warnings` must name.
BODIES: dict[str, tuple[dict[str, Any], set[str]]] = {
    "curl": ({"model": "small", "prompt": "In the", "max_tokens": 7, "temperature": 0}, set()),
    "openai-python with all parameters": (
        {
            "model": "small", "prompt": "In the", "best_of": 1, "echo": False, "frequency_penalty": 0.5,
            "logit_bias": {"50256": -100}, "logprobs": None, "max_tokens": 5, "n": 1, "presence_penalty": -0.5,
            "seed": -1, "stop": ["Q", "X", "Y", "Z", "V"], "stream": False, "stream_options": None, "suffix": "",
            "temperature": 1, "top_p": 1, "user": "user-1234",
        },
        {"frequency_penalty", "presence_penalty", "logit_bias"},
    ),
    "LangChain": (
        {
            "model": "small", "prompt": ["In the"], "temperature": 0.7, "max_tokens": 6, "top_p": 1, "n": 1,
            "frequency_penalty": 0, "presence_penalty": 0, "logit_bias": {}, "seed": None, "logprobs": None,
        },
        set(),
    ),
    "LiteLLM": (
        {
            "model": "small", "prompt": "In", "max_completion_tokens": 4, "metadata": {"user": "x"},
            "drop_params": True, "extra_body": {}, "timeout": 600,
        },
        {"metadata", "drop_params", "extra_body", "timeout"},
    ),
    "lm-eval-harness, loglikelihood": (
        {
            "model": "small", "prompt": [[1, 2, 3]], "temperature": 0, "max_tokens": 1, "logprobs": 1, "seed": 1234,
            "echo": True,
        },
        set(),
    ),
    "lm-eval-harness, generation": (
        {"model": "small", "prompt": ["In"], "max_tokens": 8, "temperature": 0.0, "stop": ["Q:", "</s>"], "seed": 1234},
        set(),
    ),
    "Open WebUI": (
        {
            "model": "small", "prompt": "In", "stream": False, "max_tokens": 5, "stop": [], "seed": 0, "top_k": 40,
            "min_p": 0, "repeat_penalty": 1.1, "num_ctx": 2048, "keep_alive": "5m",
            "stream_options": {"include_usage": True},
        },
        {"repeat_penalty", "num_ctx", "keep_alive"},
    ),
    "vLLM": (
        {
            "model": "small", "prompt": "In", "max_tokens": 5, "ignore_eos": True, "min_tokens": 2, "top_k": -1,
            "skip_special_tokens": True, "min_p": 0.0, "repetition_penalty": 1.0, "logprobs": True,
            "stream_options": {"include_usage": True, "continuous_usage_stats": False}, "seed": -(2**63),
        },
        {"min_tokens", "skip_special_tokens", "stream_options.continuous_usage_stats"},
    ),
    "llama.cpp": (
        {
            "prompt": "In", "n_predict": 5, "max_tokens": 5, "cache_prompt": True, "samplers": ["top_k"],
            "seed": 2**62, "stop": [""],
        },
        {"n_predict", "cache_prompt", "samplers"},
    ),
    "obfuscation": (
        {"prompt": "In", "max_tokens": 3, "stream_options": {"include_obfuscation": False}},
        {"stream_options.include_obfuscation"},
    ),
    "names that are not repeated": ({"prompt": "In", "max_tokens": 1, "<b>": 1, "x" * 99: 2}, {"a field"}),
}  # fmt: skip


@pytest.mark.parametrize("client", BODIES)
def test_body_of_a_known_client_is_accepted(guard: Guard, client: str) -> None:
    body, expected = BODIES[client]
    result = call(guard, "POST", COMPLETIONS, json=body)
    assert result.status_code == 200, result.text
    ignored = [warning for warning in result.json()["warnings"] if " is not " in warning]  # others name stop strings
    assert {warning.partition(" is not ")[0].strip("`") for warning in ignored} == expected
    tokens = body.get("max_tokens", body.get("max_completion_tokens"))
    assert result.json()["usage"]["completion_tokens"] == tokens


@pytest.mark.parametrize(("seed", "reduced"), [(-2, 2**53 - 2), (2**62 + 5, 5), (2**53, 2**53), (0, 0)])
def test_response_has_a_seed_that_repeats_the_text(guard: Guard, seed: int, reduced: int) -> None:
    first, second = (
        call(guard, "POST", COMPLETIONS, json={"prompt": "In", "seed": value}).json()["choices"]
        for value in (seed, reduced)
    )
    assert first[0]["seed"] == reduced
    assert first == second


def test_logprobs_true_means_top_logprobs_or_one(model: LanguageModel) -> None:
    for body, count in (
        ({"logprobs": True}, 1),
        ({"logprobs": True, "top_logprobs": None}, 1),
        ({"logprobs": True, "top_logprobs": 3}, 3),
        ({"logprobs": 2.0, "top_logprobs": 3}, 2),
        ({"logprobs": False, "top_logprobs": 3}, None),
        ({"top_logprobs": 3}, None),
    ):
        assert validate(CompletionRequest.model_validate(body), model.vocabulary).logprobs == count


@pytest.mark.parametrize(
    ("body", "most"),
    [
        ({}, limits.MAX_TOKENS),
        ({"prompt": "e" * 500, "n": 32}, limits.MAX_TOTAL_TOKENS // 32 - 500),
        ({"logprobs": 5, "n": 2}, limits.MAX_LOGPROB_ENTRIES // 10),
        ({"prompt": ["the", "in"], "logprobs": True, "echo": True}, (limits.MAX_LOGPROB_ENTRIES - 5) // 2),
    ],
)
def test_minus_one_requests_as_many_tokens_as_allowed(model: LanguageModel, body: dict[str, Any], most: int) -> None:
    for name in ("max_tokens", "max_completion_tokens"):
        request = CompletionRequest.model_validate({name: -1, **body})
        assert validate(request, model.vocabulary).config.max_new_tokens == most
    if most < limits.MAX_TOKENS:
        with pytest.raises(HTTPError, match=r"[\d,]+ .*; the maximum is [\d,]+\.$"):
            validate(CompletionRequest.model_validate({"max_tokens": most + 1, **body}), model.vocabulary)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"stop": ["a"] * 65}, "`stop`: List should have at most 64 items after validation, not 65."),
        ({"stop": ["x" * 65]}, "`stop`: String should have at most 64 characters."),
        ({"prompt": []}, "`prompt`: List should have at least 1 item after validation, not 0."),
        ({"suffix": "x"}, "`suffix`: Input should be ''."),
        ({"messages": [{"role": "user", "content": "Hi"}]}, "`messages`: the models do not chat: send a `prompt`, "),
    ],
)
def test_error_states_the_field_and_the_reason(guard: Guard, body: dict[str, Any], words: str) -> None:
    result = call(guard, "POST", COMPLETIONS, json=body)
    assert result.status_code == 422
    assert words in result.json()["error"]["message"]


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/chat/completions", "/v1/embeddings", "/completions"])
def test_unknown_route_lists_the_routes(guard: Guard, path: str) -> None:
    result = call(guard, "POST", path, json={"messages": []})
    assert result.status_code == 404
    message = result.json()["error"]["message"]
    assert "/v1/completions" in message
    assert "/v1/models" in message
    assert ("do not chat" in message) == ("chat" in path)


@pytest.mark.parametrize("path", ["/health", "/v1/models", "/v1/models/small", "/openapi.json", "/nothing"])
def test_head_equals_get_without_a_body(guard: Guard, path: str) -> None:
    head, get = call(guard, "HEAD", path), call(guard, "GET", path)
    assert (head.status_code, head.content) == (get.status_code, b"")
    assert head.headers == get.headers


def test_head_of_a_post_route_is_status_405(guard: Guard) -> None:
    assert call(guard, "HEAD", COMPLETIONS).status_code == 405


def test_schema_allows_unknown_fields_of_completions(guard: Guard) -> None:
    schemas = call(guard, "GET", "/openapi.json").json()["components"]["schemas"]
    for name in ("CompletionRequest", "StreamOptions"):
        assert (schemas[name]["additionalProperties"], schemas[name]["maxProperties"]) == (True, 64)
    assert {"max_completion_tokens", "ignore_eos", "top_logprobs"} < set(schemas["CompletionRequest"]["properties"])
    assert schemas["ScoreRequest"]["additionalProperties"] is False
