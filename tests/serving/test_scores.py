"""`/v1/score`: the numbers of `LanguageModel.score`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from recurra import LanguageModel, ModelConfig, Vocabulary
from recurra.network.parameters import initialize
from recurra.serving.access import Access
from recurra.serving.application import create_application
from recurra.serving.registry import Registry, ServedModel
from recurra.serving.security import Guard
from serving_client import HOST, call

TEXTS = ["In the beginning", "I", "a wordß 日", "the\nword\n" * 1000]


@pytest.mark.parametrize("name", ["small", "bytes"])
def test_scores_equal_the_model(guard: Guard, model: LanguageModel, bytes_model: LanguageModel, name: str) -> None:
    reference = {"small": model, "bytes": bytes_model}[name]
    response = call(guard, "POST", "/v1/score", json={"model": name, "input": TEXTS}).json()
    assert (response["object"], response["model"]) == ("list", name)
    for index, (text, expected) in enumerate(zip(TEXTS, response["data"], strict=True)):
        score = reference.score(text)
        assert expected == {
            "index": index,
            "characters": score.characters,
            "unknown_characters": score.unknown_characters,
            "nats": score.nats,
            "nats_per_character": score.nats_per_character,
            "bits_per_character": score.bits_per_character,
            "bits_per_byte": score.bits_per_byte,
            "perplexity": score.perplexity,
            "log_probabilities": None,
        }


def test_log_probabilities_equal_the_losses_of_score(guard: Guard, model: LanguageModel) -> None:
    response = call(guard, "POST", "/v1/score", json={"input": TEXTS[0], "logprobs": True}).json()["data"]
    losses = model.score(TEXTS[0]).losses
    assert losses is not None
    assert response[0]["log_probabilities"] == (-losses).tolist()


def test_model_trained_on_lines_reads_each_line_from_zero(model: LanguageModel) -> None:
    reference = LanguageModel(model.config, model.vocabulary, model.parameters, "lines")
    guard = create_application(
        Registry([ServedModel("lines", reference, reference.sha256, 0, None)]), Access(frozenset({HOST}))
    )
    text = "the word\n\nat the end\nin the beginning"
    response = call(guard, "POST", "/v1/score", json={"input": text, "logprobs": True}).json()["data"][0]
    losses = reference.score(text).losses
    assert losses is not None
    assert response["log_probabilities"] == (-losses).tolist()

    echoed = {"prompt": text, "echo": True, "logprobs": 2, "max_tokens": 40, "seed": 3}
    (choice,) = call(guard, "POST", "/v1/completions", json=echoed).json()["choices"]
    assert choice["text"] == text + reference.sample(text, max_new_tokens=40, seed=3)
    assert "\n" in choice["text"][len(text) :]
    expected = reference.score(choice["text"]).losses
    assert expected is not None
    np.testing.assert_allclose(choice["logprobs"]["token_logprobs"], -expected, rtol=1e-6)
    assert all(len(top) >= 2 for top in choice["logprobs"]["top_logprobs"])


WRONG: list[dict[str, Any]] = [
    {}, {"input": ""}, {"input": []}, {"input": [""]}, {"input": 1}, {"input": ["a"] * 129}, {"input": "x" * 65_537},
    {"input": ["x" * 40_000] * 2}, {"input": "a", "logprobs": 1}, {"input": "a", "more": 1},
]  # fmt: skip


@pytest.mark.parametrize("body", WRONG, ids=lambda body: repr(body)[:30])
def test_score_request_out_of_range_is_an_error(guard: Guard, body: dict[str, Any]) -> None:
    response = call(guard, "POST", "/v1/score", json=body)
    assert response.status_code == 422
    assert response.json()["error"]["param"] in ("input", "logprobs", "more")


def test_score_by_unknown_model_is_status_404(guard: Guard) -> None:
    assert call(guard, "POST", "/v1/score", json={"model": "x", "input": "a"}).status_code == 404


def test_text_is_converted_to_the_models_canonical_form() -> None:
    vocabulary, config = Vocabulary.of("déjà vu"), ModelConfig(hidden_size=12)
    model = LanguageModel(config, vocabulary, initialize(config, len(vocabulary), seed=0))
    registry = Registry([ServedModel("accents", model, model.sha256, 1_700_000_000, None)])
    guard = create_application(registry, Access(frozenset({HOST})))
    response = call(guard, "POST", "/v1/score", json={"input": ["vu", "de\u0301ja\u0300"]}).json()
    assert response["data"][1]["nats"] == model.score("déjà").nats
    (warning,) = response["warnings"]
    assert warning.startswith("input 1: 2 characters are read in the canonical form that the model has learned: 'é'")
    body = {"prompt": ["vu", "de\u0301ja\u0300"], "max_tokens": 2, "seed": 1}
    response = call(guard, "POST", "/v1/completions", json=body).json()
    assert response["choices"][1]["text"] == model.sample("déjà", max_new_tokens=2, seed=1)
    assert [words[:8] for words in response["warnings"]] == ["prompt 1"]
