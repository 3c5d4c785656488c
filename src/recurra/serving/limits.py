"""What a server accepts at most, and how long it waits: every limit has its status code where it is applied."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Sizes in bytes, characters or pieces; times in seconds.

    body                     bytes of a request (413)
    requests                 requests with a body that are under way at once (503)
    connections              open sockets; of more, those that have sent no whole request are closed first
    queue                    texts that wait to be written by one model, and texts that wait to be read (429)
    header_time, body_time   from a request's first byte to the end of its headers, and from there to that of its body
    idle_time                between two requests on one connection
    send_time                until a client has taken what waits for it in the socket's buffer
    answer_time              until a request is answered (504)
    drain_time               from a signal to stop until what is under way is broken off
    end_time                 from then on, until what was broken off has said so
    """

    body: int = 1 << 20
    requests: int = 256
    connections: int = 512
    queue: int = 1024
    header_time: float = 10.0
    body_time: float = 30.0
    idle_time: int = 30
    send_time: float = 30.0
    answer_time: float = 300.0
    drain_time: float = 3.0
    end_time: int = 1


# What one request may ask for (422).
PROMPT = 65_536  # characters of a prompt, and of all prompts of a request
PROMPTS = 128
TEXTS = 256  # prompts times choices
TOKENS = 65_536  # characters of a text
ALL_TOKENS = 1 << 20  # of all texts of a request
STOPS, STOP = 64, 64  # stop strings, and characters of one
LOGPROBS = 20  # likeliest characters told at each place
ROWS = 131_072  # places times characters told there
