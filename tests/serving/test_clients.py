"""Unmodified clients: OpenAI's package, and the requests of an evaluation harness."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import httpx
import pytest

from processes import PATIENCE
from recurra import LanguageModel
from recurra.serving.access import VARIABLE
from serving_client import Running, await_until, request, rest_of

if TYPE_CHECKING:
    import openai
else:
    openai = pytest.importorskip("openai", reason="the tests of OpenAI's client need the package openai")

KEY = "k3y-0f-m0re-than-128-bits-Zq8xW2vB7nM4"
JSON = "Content-Type: application/json\r\n"


@pytest.fixture(scope="module")
def official(running: Running) -> Iterator[openai.OpenAI]:
    """OpenAI's client; the server has no key, so that any key is accepted."""
    with openai.OpenAI(base_url=f"{running.url}/v1", api_key="none", max_retries=0) as one:
        yield one


def test_the_official_client_lists_models(official: openai.OpenAI) -> None:
    assert [one.id for one in official.models.list()] == ["small"]
    assert official.models.retrieve("small").owned_by == "recurra"


def test_the_official_client_gets_the_text_of_sample(official: openai.OpenAI, model: LanguageModel) -> None:
    result = official.completions.create(
        model="small", prompt="In the", max_tokens=50, seed=3, temperature=0.8, extra_body={"top_k": 8, "min_p": 0.01}
    )
    expected = model.sample("In the", max_new_tokens=50, seed=3, temperature=0.8, top_k=8, min_p=0.01)
    assert result.choices[0].text == expected
    assert result.choices[0].finish_reason == "length"
    assert result.usage is not None
    assert result.usage.total_tokens == 56


def test_the_official_client_gets_a_stream(official: openai.OpenAI, model: LanguageModel) -> None:
    chunks = list(
        official.completions.create(
            model="small", prompt="In", max_tokens=200, n=2, seed=3, stop=["wb"], logprobs=2, stream=True,
            stream_options={"include_usage": True},
        )
    )  # fmt: skip
    for index in range(2):
        own = [choice for chunk in chunks for choice in chunk.choices if choice.index == index]
        sample = model.samples("In", max_new_tokens=200, seed=3 + index, stop=["wb"])[0]
        assert "".join(choice.text for choice in own) == sample.symbols
        assert own[-1].finish_reason == sample.ended
        logs = [log for choice in own if choice.logprobs for log in choice.logprobs.token_logprobs or []]
        assert logs == pytest.approx(sample.log_probabilities.tolist(), abs=1e-6)
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.prompt_tokens == 2


def test_the_official_client_gets_an_echo_with_its_score(official: openai.OpenAI, model: LanguageModel) -> None:
    result = official.completions.create(model="small", prompt="In the word", max_tokens=0, echo=True, logprobs=1)
    logs = result.choices[0].logprobs
    assert logs is not None
    assert logs.token_logprobs is not None
    total = math.log(len(model.vocabulary)) - math.fsum(log for log in logs.token_logprobs if log is not None)
    assert total == pytest.approx(model.score("In the word").nats, abs=1e-6)


def test_the_official_client_raises_its_own_exceptions(official: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="`model` is not the name of a served model") as missing:
        official.completions.create(model="none", prompt="")
    assert missing.value.code == "model_not_found"
    with pytest.raises(openai.UnprocessableEntityError, match="`temperature`") as wrong:
        official.completions.create(model="small", prompt="", temperature=200)
    assert wrong.value.param == "temperature"
    with pytest.raises(openai.UnprocessableEntityError, match="`suffix`"):
        official.completions.create(model="small", prompt="", suffix="x")
    with pytest.raises(openai.NotFoundError):
        official.chat.completions.create(model="small", messages=[{"role": "user", "content": "x"}])


def test_the_official_client_closes_a_stream_early(official: openai.OpenAI) -> None:
    with official.completions.create(model="small", prompt="", max_tokens=65_536, n=16, stream=True) as stream:
        next(iter(stream))
    assert official.completions.create(model="small", prompt="", max_tokens=1).choices


HARNESS = [
    {"temperature": 0, "max_tokens": 1, "logprobs": 1, "seed": 1234, "echo": True},
    {"temperature": 0, "max_tokens": 0, "logprobs": 1, "echo": True},
    {"temperature": 0, "max_tokens": 1, "logprobs": 5, "seed": 1234, "echo": True},
]


@pytest.mark.parametrize("form", HARNESS)
def test_evaluation_harness_gets_log_p_of_a_continuation(
    running: Running, model: LanguageModel, form: dict[str, object]
) -> None:
    """Compute the sum of log p as the harness does: after the context, without the generated token; and `is_greedy`."""
    pairs = [("In the", " word"), ("a", " beginning"), ("the", "x")]
    body = {"model": "small", "prompt": [context + rest for context, rest in pairs]} | form
    result = httpx.post(f"{running.url}/v1/completions", json=body, timeout=PATIENCE).json()
    for choice, (context, rest) in zip(sorted(result["choices"], key=lambda one: one["index"]), pairs, strict=True):
        end = -1 if form["max_tokens"] else None
        logs = choice["logprobs"]["token_logprobs"][len(context) : end]
        tops = choice["logprobs"]["top_logprobs"][len(context) : end]
        assert len(logs) == len(tops) == len(rest)
        assert -sum(logs) == pytest.approx(model.score(context + rest).nats - model.score(context).nats, abs=1e-6)
        greedy = all(log == max(top.values()) for log, top in zip(logs, tops, strict=True))
        ids = model.vocabulary.encode_known(context + rest)[0]
        expected, _ = model.reader.log_probabilities(ids[:-1], model.zero_state())
        if len(ids) == len(context + rest):
            likeliest = expected.argmax(axis=1)[len(context) - 1 :]
            assert greedy == (likeliest == ids[len(context) :]).all()


@pytest.fixture
def locked(start: Callable[..., Running]) -> Running:
    """A server with a key."""
    return start(**{VARIABLE: KEY})


def test_only_a_client_with_the_key_is_served(locked: Running) -> None:
    with openai.OpenAI(base_url=f"{locked.url}/v1", api_key=KEY, max_retries=0) as one:
        assert one.completions.create(model="small", prompt="", max_tokens=3).choices
    with (
        openai.OpenAI(base_url=f"{locked.url}/v1", api_key="none", max_retries=0) as one,
        pytest.raises(openai.AuthenticationError, match="lacks the key of this server"),
    ):
        one.models.list()
    assert httpx.get(f"{locked.url}/health").status_code == 200
    assert KEY not in locked.stop()[1]


def completion(running: Running, body: dict[str, object]) -> bytes:
    data = json.dumps(body).encode()
    head = f"{JSON}Content-Length: {len(data)}\r\n"
    return request(running.host, "/v1/completions", method="POST", extra=head) + data


def test_signal_ends_streams_with_an_error(start: Callable[..., Running]) -> None:
    running = start()
    with (
        running.connect() as stream,
        running.connect() as waiting,
        running.connect() as mute,
        running.connect() as read,
    ):
        mute.sendall(
            completion(running, {"max_tokens": 60_000, "n": 16, "stream": True})
        )  # the client never reads the response
        data = json.dumps({"input": "In the word " * 5_000}).encode()
        head = f"{JSON}Content-Length: {len(data)}\r\n"
        read.sendall(request(running.host, "/v1/score", method="POST", extra=head) + data)
        stream.sendall(completion(running, {"max_tokens": 65_536, "n": 16, "stream": True}))
        waiting.sendall(completion(running, {"max_tokens": 65_536, "n": 16, "temperature": 0.1}))
        assert stream.recv(1) == b"H"
        running.process.terminate()
        events, response = rest_of(stream), rest_of(waiting)
    code, log = running.ended()
    assert code == 143
    assert b"[DONE]" in events or b"the server is shutting down" in events
    assert response.startswith((b"HTTP/1.1 200 ", b"HTTP/1.1 503 "))
    assert log.splitlines()[-1] == "stopped by SIGTERM."
    assert "Traceback" not in log


def test_slow_clients_do_not_block_others(running: Running) -> None:
    with contextlib.ExitStack() as held:
        slow = [held.enter_context(running.connect()) for _ in range(20)]
        half = [held.enter_context(running.connect()) for _ in range(40)]
        for connection in slow:
            connection.sendall(completion(running, {"max_tokens": 20_000, "n": 2, "stream": True, "logprobs": 1}))
        for connection in half:
            connection.sendall(b"POST /v1/completions HTTP/1.1\r\nHost:")
        for _ in range(3):
            assert httpx.get(f"{running.url}/health", timeout=PATIENCE).status_code == 200
            result = httpx.post(f"{running.url}/v1/completions", json={"max_tokens": 5}, timeout=PATIENCE)
            assert result.status_code == 200


def test_scoring_long_texts_does_not_block_completions(running: Running) -> None:
    """The server completes requests while it scores long texts; benchmarks/serving_load.py measures how soon."""
    long = {"input": "In the word " * 5_000}
    with httpx.Client(base_url=running.url, timeout=PATIENCE) as one:
        connections = [running.connect() for _ in range(5)]
        data = json.dumps(long).encode()
        head = f"{JSON}Content-Length: {len(data)}\r\n"
        for connection in connections:
            connection.sendall(request(running.host, "/v1/score", method="POST", extra=head) + data)
        assert one.post("/v1/completions", json={"max_tokens": 5}).status_code == 200
        answers = [rest_of(connection) for connection in connections]
        for connection in connections:
            connection.close()
    assert len({answer.partition(b"\r\n\r\n")[2] for answer in answers}) == 1
    await_until(lambda: httpx.get(f"{running.url}/health").status_code == 200)
