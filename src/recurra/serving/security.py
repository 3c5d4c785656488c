"""The guard: the outermost layer of the server, which rejects every request that may not reach the application.

Every page that a browser on this machine shows can send requests to a server on loopback. The guard checks what such a
page cannot forge: Host (another's DNS can bind a foreign name to 127.0.0.1), Origin and Sec-Fetch-Site (the page that
sends), and a content type that no form can send.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from typing import Any

from recurra.serving.access import Access
from recurra.serving.limits import Limits
from recurra.serving.responses import HTTPError, unavailable

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Any, Receive, Send], Awaitable[None]]

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
HEADERS = {
    b"content-security-policy": POLICY.encode(),
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"cross-origin-opener-policy": b"same-origin",
    b"cross-origin-resource-policy": b"same-origin",
    b"cache-control": b"no-store",
}
HEALTH = "/health"
OPEN_PATHS = frozenset({HEALTH, "/session"})  # they need no key
MAX_LENGTH_DIGITS = 18  # of Content-Length


class Guard:
    """The application behind its checks. `open_paths` need no key, since they hold nothing secret."""

    def __init__(
        self, application: Application, access: Access, limits: Limits, open_paths: frozenset[str] = OPEN_PATHS
    ) -> None:
        self.application, self.access, self.limits, self.open_paths = application, access, limits, open_paths
        self._bodies = 0  # requests with a body in progress

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """Pass one request to the application, or reject it."""
        if scope["type"] == "lifespan":
            await self.application(scope, receive, send)
        elif scope["type"] == "http":
            await self._handle(scope, receive, with_headers(send))
        else:
            await send({"type": "websocket.close", "code": 1008})

    async def _handle(self, scope: Any, receive: Receive, send: Send) -> None:
        try:
            check(scope, self.access, self.open_paths)
            if scope["method"] == "POST":
                await self._with_body(scope, receive, send)
            elif scope["method"] == "HEAD":
                await self._without_body(scope, receive, send)
            else:
                await self.application(scope, receive, send)
        except HTTPError as error:
            await send_error(send, error)

    async def _with_body(self, scope: Any, receive: Receive, send: Send) -> None:
        body = await read_body(scope, receive, self.limits.body_bytes)
        if body is None:
            return
        if self._bodies >= self.limits.requests:  # counted once the body is complete: half a body occupies no place
            raise unavailable(f"{self.limits.requests} requests are under way; try again soon.")
        self._bodies += 1
        try:
            await self.application(scope, replay(body, receive), send)
        finally:
            self._bodies -= 1

    async def _without_body(self, scope: Any, receive: Receive, send: Send) -> None:
        """Handle HEAD as GET, and end when the body begins: it may be an endless stream."""
        body_begins = asyncio.Event()

        async def send_head(message: Message) -> None:
            if message["type"] == "http.response.start":
                await send(message)
            else:
                body_begins.set()

        answering = asyncio.ensure_future(self.application({**scope, "method": "GET"}, receive, send_head))
        waiting = asyncio.ensure_future(body_begins.wait())
        try:
            await asyncio.wait({answering, waiting}, return_when=asyncio.FIRST_COMPLETED)
            if body_begins.is_set():
                await send({"type": "http.response.body", "body": b""})
        finally:
            answering.cancel()
            waiting.cancel()
            found, _ = await asyncio.gather(answering, waiting, return_exceptions=True)
        if isinstance(found, Exception):
            raise found


def check(scope: Any, access: Access, open_paths: frozenset[str]) -> None:
    """Raise HTTPError unless the request may reach the application."""
    host = _only(scope, b"host")
    if scope["path"] == HEALTH:
        host = ""  # a probe of a container calls it by its address, and the response holds nothing else
    elif host is None or not access.is_own_host(host):
        raise HTTPError(
            HTTPStatus.MISDIRECTED_REQUEST,
            "this server does not answer to that name; start it with --allow-host NAME if it is yours.",
            code="host",
        )
    if not scope["path"].startswith("/"):
        raise HTTPError(HTTPStatus.BAD_REQUEST, "the target must be a path.", code="target")
    origins = list(_values(scope, b"origin"))
    if any(not access.is_own_origin(origin, host) for origin in origins):
        raise HTTPError(HTTPStatus.FORBIDDEN, "pages of other origins may not call this server.", code="origin")
    if any(site.lower() == "cross-site" for site in _values(scope, b"sec-fetch-site")) and not _is_link(scope):
        raise HTTPError(HTTPStatus.FORBIDDEN, "other sites may not call this server.", code="origin")
    if scope["method"] == "POST" and not _is_json(_only(scope, b"content-type")):
        raise HTTPError(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "the body must have Content-Type: application/json.", code="content_type"
        )
    if access.key is not None and scope["path"] not in open_paths and not shows_key(scope, access):
        raise HTTPError(
            HTTPStatus.UNAUTHORIZED,
            "this server wants its key: Authorization: Bearer KEY.",
            code="invalid_api_key",
            headers={"WWW-Authenticate": "Bearer"},
        )


def _is_link(scope: Any) -> bool:
    """Return True if a person follows a link to a page of ours: the linking page cannot read the response."""
    target = _only(scope, b"sec-fetch-mode"), _only(scope, b"sec-fetch-dest")
    return scope["method"] == "GET" and target == ("navigate", "document")


def shows_key(scope: Any, access: Access) -> bool:
    """Return True if the request has the key, or the cookie that a browser got for it."""
    scheme, _, given = (_only(scope, b"authorization") or "").partition(" ")
    if scheme.lower() == "bearer" and access.is_key(given.strip()):
        return True
    try:
        cookies = SimpleCookie(_only(scope, b"cookie") or "")
    except CookieError:
        return False
    return access.cookie in cookies and access.is_session(cookies[access.cookie].value)


def _values(scope: Any, name: bytes) -> Iterator[str]:
    return (value.decode("latin-1") for own, value in scope["headers"] if own.lower() == name)


def _only(scope: Any, name: bytes) -> str | None:
    """Return the value of a header that occurs once; None if it is missing, or occurs twice."""
    values = list(_values(scope, name))
    return values[0] if len(values) == 1 else None


def _is_json(content_type: str | None) -> bool:
    return content_type is not None and content_type.partition(";")[0].strip().lower() == "application/json"


async def read_body(scope: Any, receive: Receive, limit: int) -> bytes | None:
    """Return the whole body, None if the client disconnects before its end. HTTPError if it exceeds `limit` bytes."""
    too_large = HTTPError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body has more than {limit:,} bytes.", code="body")
    declared = _only(scope, b"content-length")
    if declared is not None and declared.isdecimal() and (len(declared) > MAX_LENGTH_DIGITS or int(declared) > limit):
        raise too_large
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        if len(body) > limit:
            raise too_large
        if not message.get("more_body", False):
            return bytes(body)


def replay(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that gives the body, which was read already, and then what follows."""
    waiting = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_again() -> Message:
        return waiting.pop() if waiting else await receive()

    return receive_again


def with_headers(send: Send) -> Send:
    """Return a `send` that adds the headers of every response; a header that the response has stays."""

    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            own = list(message.get("headers", ()))
            there = {name.lower() for name, _ in own}
            message["headers"] = own + [(name, value) for name, value in HEADERS.items() if name not in there]
        await send(message)

    return send_with_headers


async def send_error(send: Send, error: HTTPError) -> None:
    """Send an error and close the connection: the rest of the request is not read."""
    headers, body = error.closing_response()
    encoded = [(name.lower().encode(), value.encode()) for name, value in headers]
    await send({"type": "http.response.start", "status": error.status, "headers": encoded})
    await send({"type": "http.response.body", "body": body})
