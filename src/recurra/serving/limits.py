"""Limits of the server: sizes and deadlines. The HTTP status of a request that exceeds a limit is in parentheses."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Limits of one server.

    Attributes:
        body_bytes: size of a request body (413).
        requests: number of requests with a body that the server handles at the same time (503).
        connections: number of open connections. If there are more, the server closes the oldest one without a
            complete request; if all have one, it closes the new connection.
        queue_texts: number of texts that wait for generation by one model, and of those that wait for scoring (429).
        header_seconds: time from the first byte of a request to the end of its headers (408).
        body_seconds: time from the end of the headers to the end of the body (408).
        idle_seconds: time between two requests on one connection.
        send_seconds: time in which a client must read the data in the socket's buffer.
        response_seconds: time from a request to the end of its response (504).
        drain_seconds: time from the stop signal until the server cancels the remaining requests.
        end_seconds: time from this cancellation until the requests have ended.
    """

    body_bytes: int = 1 << 20
    requests: int = 256
    connections: int = 512
    queue_texts: int = 1024
    header_seconds: float = 10.0
    body_seconds: float = 30.0
    idle_seconds: int = 30
    send_seconds: float = 30.0
    response_seconds: float = 300.0
    drain_seconds: float = 3.0
    end_seconds: int = 1


# Limits of one request (422).
MAX_PROMPT_CHARACTERS = 65_536  # in a prompt, and in all prompts together
MAX_PROMPTS = 128
MAX_CHOICES = 256  # prompts times choices
MAX_TOKENS = 65_536  # in one choice
MAX_TOTAL_TOKENS = 1 << 20  # tokens that all choices together read and generate
MAX_STOPS = 64
MAX_STOP_CHARACTERS = 64
MAX_LOGPROBS = 20  # likeliest tokens at each position
MAX_LOGPROB_ENTRIES = 131_072  # positions times likeliest tokens
MAX_FIELDS = 64  # in a body: each unknown field causes an error, and thousands of errors would block the event loop
