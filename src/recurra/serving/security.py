"""The guard: the outermost layer of the server. It rejects requests from foreign pages and requests without the key.

Every page in a browser on this machine can send requests to a server on loopback. The guard checks the parts that a
page cannot forge: Host (an attacker's DNS server can map a foreign name to 127.0.0.1), Origin and Sec-Fetch-Site (the
page that sends the request), and a content type that no HTML form can send.
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
OPEN_PATHS = frozenset({HEALTH, "/session"})  # paths that need no key
MAX_LENGTH_DIGITS = 18  # digits of Content-Length


class Guard:
    """The application behind its access checks; `open_paths` need no key, since they contain nothing secret."""

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
        if self._bodies >= self.limits.requests:  # counted from here: a request with half a body does not block others
            raise unavailable(f"{self.limits.requests} requests are in progress, the maximum; try again soon.")
        self._bodies += 1
        try:
            await self.application(scope, replay(body, receive), send)
        finally:
            self._bodies -= 1

    async def _without_body(self, scope: Any, receive: Receive, send: Send) -> None:
        """Handle HEAD as GET, but stop when the body begins, since a body can be an endless stream."""
        body_begins = asyncio.Event()

        async def send_head(message: Message) -> None:
            if message["type"] == "http.response.start":
                await send(message)
            else:
                body_begins.set()

        handler = asyncio.ensure_future(self.application({**scope, "method": "GET"}, receive, send_head))
        waiting = asyncio.ensure_future(body_begins.wait())
        try:
            await asyncio.wait({handler, waiting}, return_when=asyncio.FIRST_COMPLETED)
            if body_begins.is_set():
                await send({"type": "http.response.body", "body": b""})
        finally:
            handler.cancel()
            waiting.cancel()
            result, _ = await asyncio.gather(handler, waiting, return_exceptions=True)
        if isinstance(result, Exception):
            raise result


def check(scope: Any, access: Access, open_paths: frozenset[str]) -> None:
    """Raise HTTPError if the request comes from a foreign page or host name, or lacks the key."""
    host = _only(scope, b"host")
    if scope["path"] == HEALTH:
        host = ""  # a container's health probe uses any address, and the response contains nothing secret
    elif host is None or not access.is_own_host(host):
        raise HTTPError(
            HTTPStatus.MISDIRECTED_REQUEST,
            "the header Host is not a name of this server; if it is yours, start the server with --allow-host NAME.",
            code="host",
        )
    if not scope["path"].startswith("/"):
        raise HTTPError(HTTPStatus.BAD_REQUEST, "the request target must be a path that begins with /.", code="target")
    origins = list(_values(scope, b"origin"))
    if any(not access.is_own_origin(origin, host) for origin in origins):
        raise HTTPError(
            HTTPStatus.FORBIDDEN,
            "the header Origin is not an origin of this server: only its own pages may call it from a browser.",
            code="origin",
        )
    if any(site.lower() == "cross-site" for site in _values(scope, b"sec-fetch-site")) and not _is_link(scope):
        raise HTTPError(
            HTTPStatus.FORBIDDEN,
            "the header Sec-Fetch-Site is cross-site: only pages of this server may call it from a browser.",
            code="origin",
        )
    if scope["method"] == "POST" and not _is_json(_only(scope, b"content-type")):
        raise HTTPError(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "the body must be JSON: send the header Content-Type: application/json.",
            code="content_type",
        )
    if access.key is not None and scope["path"] not in open_paths and not has_key(scope, access):
        raise HTTPError(
            HTTPStatus.UNAUTHORIZED,
            "the request lacks the key of this server: send the header Authorization: Bearer KEY.",
            code="invalid_api_key",
            headers={"WWW-Authenticate": "Bearer"},
        )


def _is_link(scope: Any) -> bool:
    """Return True if the user follows a link to a page of this server; the foreign page cannot read the response."""
    target = _only(scope, b"sec-fetch-mode"), _only(scope, b"sec-fetch-dest")
    return scope["method"] == "GET" and target == ("navigate", "document")


def has_key(scope: Any, access: Access) -> bool:
    """Return True if the request contains the key, or the cookie that `/session` sends for the key."""
    scheme, _, key = (_only(scope, b"authorization") or "").partition(" ")
    if scheme.lower() == "bearer" and access.is_key(key.strip()):
        return True
    try:
        cookies = SimpleCookie(_only(scope, b"cookie") or "")
    except CookieError:
        return False
    return access.cookie in cookies and access.is_session(cookies[access.cookie].value)


def _values(scope: Any, name: bytes) -> Iterator[str]:
    return (value.decode("latin-1") for header, value in scope["headers"] if header.lower() == name)


def _only(scope: Any, name: bytes) -> str | None:
    """Return the value of a header that occurs once; None if the header is missing or repeated."""
    values = list(_values(scope, name))
    return values[0] if len(values) == 1 else None


def _is_json(content_type: str | None) -> bool:
    return content_type is not None and content_type.partition(";")[0].strip().lower() == "application/json"


async def read_body(scope: Any, receive: Receive, limit: int) -> bytes | None:
    """Return the whole body; None if the client disconnects before the end.

    Raises: HTTPError if the body exceeds `limit` bytes.
    """
    message = f"the body has more than {limit:,} bytes, the maximum; send less in one request."
    too_large = HTTPError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, message, code="body")
    declared = _only(scope, b"content-length")
    if declared is not None and declared.isdecimal() and (len(declared) > MAX_LENGTH_DIGITS or int(declared) > limit):
        raise too_large
    body = bytearray()
    while True:
        part = await receive()
        if part["type"] == "http.disconnect":
            return None
        body += part.get("body", b"")
        if len(body) > limit:
            raise too_large
        if not part.get("more_body", False):
            return bytes(body)


def replay(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that first returns the body, which is already read, and then the later messages."""
    waiting = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_again() -> Message:
        return waiting.pop() if waiting else await receive()

    return receive_again


def with_headers(send: Send) -> Send:
    """Return a `send` that adds HEADERS to every response; a header that the response already has is kept."""

    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = list(message.get("headers", ()))
            names = {name.lower() for name, _ in headers}
            message["headers"] = headers + [(name, value) for name, value in HEADERS.items() if name not in names]
        await send(message)

    return send_with_headers


async def send_error(send: Send, error: HTTPError) -> None:
    """Send an error and close the connection without reading the rest of the request."""
    headers, body = error.closing_response()
    encoded = [(name.lower().encode(), value.encode()) for name, value in headers]
    await send({"type": "http.response.start", "status": error.status, "headers": encoded})
    await send({"type": "http.response.body", "body": body})
