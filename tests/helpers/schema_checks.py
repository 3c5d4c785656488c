"""A check for schemathesis: the server refuses a valid request only for limits that the schema cannot express.

These limits concern several fields together, and the ids of the model. The reason in the error must be true.
"""

from __future__ import annotations

import os
from typing import Any

import schemathesis

from recurra.serving import limits

SYMBOLS = int(os.environ["SYMBOLS"])  # symbols of the served model


@schemathesis.check
def valid_requests_are_refused_only_for_what_no_schema_says(ctx: Any, response: Any, case: Any) -> None:
    if response.status_code != 422 or case.meta is None or not case.meta.generation.mode.is_positive:
        return
    error = response.json()["error"]
    assert error["code"] == "out_of_range", error
    assert is_true(case.operation.label, error["param"], case.body), error


def is_true(route: str, field: str, body: dict[str, Any]) -> bool:
    """Return True if `field` of the body exceeds a limit that the schema cannot express."""
    if route == "POST /v1/score":
        texts = body["input"]
        return field == "input" and isinstance(texts, list) and sum(map(len, texts)) > limits.MAX_PROMPT_CHARACTERS
    if route != "POST /v1/completions":
        return False
    prompts, n = listed(body.get("prompt")), int(body.get("n") or 1)
    best_of = int(body.get("best_of") or n)
    lengths, texts = [len(prompt) for prompt in prompts], len(prompts) * max(n, best_of)
    maxima = [body[name] for name in ("max_tokens", "max_completion_tokens") if body.get(name) is not None]
    written = max(int(maxima[0]), 0) if maxima else 16  # -1 means as many as allowed, possibly none
    likeliest = body.get("logprobs")
    if isinstance(likeliest, bool):
        likeliest = (1 if body.get("top_logprobs") is None else body["top_logprobs"]) if likeliest else None
    ids = [number for prompt in prompts if not isinstance(prompt, str) for number in prompt]
    match field:
        case "best_of":
            return best_of != n and (n != 1 or bool(body.get("stream")))
        case "prompt":
            return sum(lengths) > limits.MAX_PROMPT_CHARACTERS or max(ids, default=0) >= SYMBOLS
        case "n":
            return texts > limits.MAX_CHOICES
        case "max_tokens":
            return texts * (written + max(lengths)) > limits.MAX_TOTAL_TOKENS
        case "logprobs":
            places = n * (len(prompts) * written + bool(body.get("echo")) * sum(lengths))
            return likeliest is not None and places * max(int(likeliest), 1) > limits.MAX_LOGPROB_ENTRIES
    return False


def listed(prompt: Any) -> list[Any]:
    """Return the list of prompts, each a string or a list of ids."""
    if not isinstance(prompt, list):
        return [prompt or ""]
    return prompt if isinstance(prompt[0], (str, list)) else [prompt]
