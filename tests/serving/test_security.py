"""The guard: no request from a foreign page, host name or HTML form reaches the application."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from recurra.serving.access import Access
from recurra.serving.limits import Limits
from recurra.serving.security import HEADERS, OPEN_PATHS, Guard, read_body
from serving_client import HOST, Answer, Running, ask, request, run

JSON = ("Content-Type", "application/json")
KEY = "k3y-0f-m0re-than-128-bits-Zq8xW2vB7nM4"


class Reached:
    """An application that counts requests and returns their body."""

    def __init__(self) -> None:
        self.count = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:  # noqa: ARG002 - an application's
        self.count += 1
        message = await receive()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"cache-control", b"max-age=1")]})
        await send({"type": "http.response.body", "body": message.get("body", b"")})


def answer(
    headers: list[tuple[str, str]],
    *,
    method: str = "GET",
    path: str = "/v1/models",
    key: str | None = None,
    **named: Any,
) -> tuple[Answer, int]:
    """Return the response of the guard, and the number of requests that reached the application."""
    reached = Reached()
    hosts = frozenset({HOST, "localhost:8000", "[::1]:8000"})
    guard = Guard(reached, Access(hosts, key), named.pop("limits", Limits()))
    return run(ask(guard, method, path, headers, **named)), reached.count


GOOD_HOSTS = ["127.0.0.1:8000", "localhost:8000", "LocalHost:8000", "[::1]:8000"]
BAD_HOSTS = [
    "", " ", "evil.example", "evil.example:8000", "127.0.0.1", "localhost", "[::1]", "127.0.0.1:80", "127.0.0.1:8001",
    "127.0.0.1:08000", "127.0.0.1:8000:8000", "127.0.0.1.evil.example:8000", "localhost.evil.example:8000",
    "localhost:8000@evil.example", "evil@localhost:8000", "localhost.:8000", "127.0.0.1.:8000", "127.1:8000",
    "2130706433:8000", "0x7f000001:8000", "0177.0.0.1:8000", "0.0.0.0:8000", "[::ffff:127.0.0.1]:8000",
    "[0:0:0:0:0:0:0:1]:8000", "::1:8000", "localhost:8000/", "http://localhost:8000", "localhost:8000, evil.example",
    "localhost:8000\tevil", "www.localhost:8000", "localhost :8000", "loc\xe4lhost:8000", "localhost:8000?x",
    "localhost:80%30",
]  # fmt: skip


@pytest.mark.parametrize("host", GOOD_HOSTS)
def test_requests_to_own_host_names_reach_the_application(host: str) -> None:
    result, reached = answer([("Host", host)])
    assert (result.status, reached) == (200, 1)


@pytest.mark.parametrize("host", BAD_HOSTS)
@pytest.mark.parametrize("path", ["/v1/models", "/", "/runs/kjv/events", "/health/"])
def test_requests_to_foreign_host_names_are_rejected(host: str, path: str) -> None:
    result, reached = answer([("Host", host)], path=path)
    assert (result.status, reached) == (421, 0)
    assert json.loads(result.body)["error"]["code"] == "host"


@pytest.mark.parametrize("path", ["*", "", "http://127.0.0.1:8000/v1/models", "v1/models"])
def test_target_that_is_not_a_path_is_rejected(path: str) -> None:
    result, reached = answer([("Host", HOST)], path=path)
    assert (result.status, reached) == (400, 0)
    assert json.loads(result.body)["error"]["code"] == "target"


@pytest.mark.parametrize("host", BAD_HOSTS)
def test_health_accepts_any_host_name(host: str) -> None:
    """The health probe of a container uses its address."""
    result, reached = answer([("Host", host)], path="/health")
    assert (result.status, reached) == (200, 1)


@pytest.mark.parametrize("headers", [[], [("Host", HOST), ("Host", HOST)], [("Host", HOST), ("Host", "evil.example")]])
def test_missing_or_repeated_host_is_rejected(headers: list[tuple[str, str]]) -> None:
    result, reached = answer(headers)
    assert (result.status, reached) == (421, 0)


@pytest.mark.parametrize(
    "sent",
    [
        b"GET /v1/models HTTP/1.0\r\n\r\n",
        b"GET /v1/models HTTP/1.1\r\n\r\n",
        b"GET /v1/models HTTP/1.0\r\nHost: evil.example\r\n\r\n",
        b"GET /v1/models\r\n\r\n",
        b"GET http://HOST/v1/models HTTP/1.1\r\nHost: HOST\r\n\r\n",
        b"GET http://evil.example/v1/models HTTP/1.1\r\nHost: HOST\r\n\r\n",
        b"GET /v1/models HTTP/1.1\r\nHost: HOST\r\nHost: HOST\r\n\r\n",
        b"GET /v1/models HTTP/1.1\r\nHost: HOST\r\nHost: evil.example\r\n\r\n",
        b"GET /v1/models HTTP/1.1\r\nHost: HOST\r\n .evil.example\r\n\r\n",
        b"GET /v1/models HTTP/1.1\r\nHost : HOST\r\n\r\n",
        b"GET /v1/models HTTP/1.1\r\nHost: HOST\x00\r\n\r\n",
        b"CONNECT HOST HTTP/1.1\r\nHost: HOST\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nHost: HOST\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
)
def test_invalid_requests_on_a_socket_are_rejected(running: Running, sent: bytes) -> None:
    result = running.raw(sent.replace(b"HOST", running.host.encode()))
    status = result.split(b" ", 2)[1:2] or [b"none"]
    assert status[0] in (b"400", b"421", b"none"), result
    assert b'"status"' not in result


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_valid_request_on_a_socket_is_served(running: Running, version: str) -> None:
    result = running.raw(request(running.host, version=version))
    assert result.startswith(b"HTTP/1.1 200 ")
    assert result.endswith(b'{"status":"ok"}')
    for name, value in HEADERS.items():
        assert name + b": " + value in result
    assert b"server:" not in result.lower()


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "", "http://localhost:9000", "file://", HOST])
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
def test_requests_from_other_origins_are_rejected(origin: str, method: str) -> None:
    result, reached = answer([("Host", HOST), JSON, ("Origin", origin)], method=method)
    assert (result.status, reached) == (403, 0)
    assert not [name for name in result.headers if name.startswith("access-control")]


def test_requests_from_own_pages_are_served() -> None:
    own = [("Host", HOST), JSON, ("Origin", "http://localhost:8000"), ("Sec-Fetch-Site", "same-origin")]
    assert answer(own, method="POST", body=b"{}")[0].status == 200


@pytest.mark.parametrize("path", ["/", "/v1/models"])
def test_cross_site_requests_are_rejected(path: str) -> None:
    result, reached = answer([("Host", HOST), ("Sec-Fetch-Site", "Cross-Site")], path=path)
    assert (result.status, reached) == (403, 0)


LINK = [("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "document")]


def test_link_on_another_site_opens_the_page() -> None:
    """A user may follow a link in a notebook; a form, a frame or a script of another site is still rejected."""
    assert answer([("Host", HOST), *LINK], path="/")[0].status == 200
    assert answer([("Host", HOST), JSON, *LINK], path="/", method="POST", body=b"{}")[0].status == 403
    for other in ("iframe", "empty", "script"):
        assert answer([("Host", HOST), *LINK[:2], ("Sec-Fetch-Dest", other)], path="/")[0].status == 403


FORMS = ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/jsonx", ""]


@pytest.mark.parametrize("kind", FORMS)
def test_content_types_of_forms_are_rejected(kind: str) -> None:
    result, reached = answer([("Host", HOST), ("Content-Type", kind)], method="POST")
    assert (result.status, reached) == (415, 0)


@pytest.mark.parametrize("headers", [[], [JSON, JSON], [JSON, ("Content-Type", "text/plain")]])
def test_missing_or_repeated_content_type_is_rejected(headers: list[tuple[str, str]]) -> None:
    assert answer([("Host", HOST), *headers], method="POST")[0].status == 415


def test_content_type_may_have_parameters() -> None:
    sent = [("Host", HOST), ("Content-Type", "Application/JSON; charset=utf-8")]
    assert answer(sent, method="POST", body=b"[1]")[0].body == b"[1]"


@pytest.mark.parametrize(
    "shown",
    [
        [],
        [("Authorization", KEY)],
        [("Authorization", "Bearer")],
        [("Authorization", f"Basic {KEY}")],
        [("Authorization", f"Bearer {KEY}x")],
        [("Authorization", f"Bearer {KEY[:-1]}")],
        [("Authorization", f"Bearer {KEY.lower()}")],
        [("Authorization", "Bearer k\xe9y")],
        [("Authorization", f"Bearer {KEY}"), ("Authorization", f"Bearer {KEY}")],
        [("X-API-Key", KEY)],
        [("Cookie", f"recurra={KEY}")],
        [("Cookie", "recurra=")],
        [("Cookie", 'recurra="\\400"; a b=c')],
    ],
)
@pytest.mark.parametrize("path", ["/", "/v1/models", "/nothing", "/health/", "//health", "/openapi.json"])
def test_requests_without_the_key_are_rejected(shown: list[tuple[str, str]], path: str) -> None:
    result, reached = answer([("Host", HOST), *shown], path=path, key=KEY)
    assert (result.status, reached) == (401, 0)
    assert result.headers["www-authenticate"] == "Bearer"
    assert KEY not in result.body.decode()


@pytest.mark.parametrize("path", sorted(OPEN_PATHS))
def test_open_paths_need_no_key(path: str) -> None:
    assert answer([("Host", HOST)], path=path, key=KEY)[0].status == 200


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_bearer_scheme_ignores_case(scheme: str) -> None:
    assert answer([("Host", HOST), ("Authorization", f"{scheme} {KEY}")], key=KEY)[0].status == 200


def test_only_the_cookie_of_this_key_is_accepted() -> None:
    cookie = f"other=1; recurra={Access(frozenset(), KEY).session}"
    assert answer([("Host", HOST), ("Cookie", cookie)], key=KEY)[0].status == 200
    result, _ = answer([("Host", HOST), ("Cookie", f"recurra={Access(frozenset(), KEY + 'x').session}")], key=KEY)
    assert result.status == 401


@pytest.mark.parametrize("cookie", ["(=c", "a/=c", "a=b; {=1"])
def test_malformed_cookie_is_rejected(cookie: str) -> None:
    result, reached = answer([("Host", HOST), ("Cookie", cookie)], key=KEY)
    assert (result.status, reached) == (401, 0)


@pytest.mark.parametrize("declared", ["11", "9" * 18, "9" * 5000])
def test_declared_large_body_is_rejected_unread(declared: str) -> None:
    sent = [("Host", HOST), JSON, ("Content-Length", declared)]
    result, reached = answer(sent, method="POST", limits=Limits(body_bytes=10))
    assert (result.status, reached) == (413, 0)


def test_large_body_is_rejected() -> None:
    sent = [("Host", HOST), JSON]
    assert answer(sent, method="POST", limits=Limits(body_bytes=10), body=b"1" * 11)[0].status == 413
    assert answer(sent, method="POST", limits=Limits(body_bytes=10), body=b"1" * 10)[0].body == b"1" * 10


def test_endless_body_is_read_up_to_the_limit() -> None:
    read = 0

    async def receive() -> dict[str, Any]:
        nonlocal read
        read += 1
        return {"type": "http.request", "body": b"x" * 100, "more_body": True}

    with pytest.raises(Exception, match="the body has more than 1,000 bytes"):
        run(read_body({"headers": []}, receive, 1000))
    assert read == 11


def test_too_many_requests_get_retry_after() -> None:
    result, reached = answer([("Host", HOST), JSON], method="POST", limits=Limits(requests=0))
    assert (result.status, reached, result.headers["retry-after"]) == (503, 0, "1")


def test_every_response_has_the_security_headers() -> None:
    result, _ = answer([("Host", HOST)])
    expected = {name.decode(): value.decode() for name, value in HEADERS.items()} | {"cache-control": "max-age=1"}
    assert result.headers == expected
    refused, _ = answer([("Host", "evil.example")])
    for name, value in HEADERS.items():
        assert refused.headers[name.decode()] == value.decode()
    assert "unsafe" not in result.headers["content-security-policy"]


def test_websocket_is_closed() -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    guard = Guard(Reached(), Access(frozenset({HOST})), Limits())
    run(guard({"type": "websocket", "headers": []}, None, send))  # type: ignore[arg-type]
    assert sent == [{"type": "websocket.close", "code": 1008}]


@pytest.mark.parametrize("fails", [False, True])
def test_head_of_an_endless_stream_ends(fails: bool) -> None:
    closed = []

    async def endless(scope: Any, receive: Any, send: Any) -> None:
        assert scope["method"] == "GET"
        await send({"type": "http.response.start", "status": 200, "headers": []})
        if fails:
            raise OSError("the disk")
        try:
            while True:
                await send({"type": "http.response.body", "body": b"more", "more_body": True})
                await asyncio.sleep(0)
        finally:
            closed.append(True)

    guard = Guard(endless, Access(frozenset({HOST})), Limits())
    if fails:
        with pytest.raises(OSError, match="the disk"):
            run(ask(guard, "HEAD", "/", [("Host", HOST)]))
    else:
        result = run(ask(guard, "HEAD", "/", [("Host", HOST)]))
        assert (result.status, result.body, closed) == (200, b"", [True])
