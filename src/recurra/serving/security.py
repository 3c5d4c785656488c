"""The outermost layer of the server: what comes from nowhere good is answered here, and reaches nothing behind.

A server on loopback is reached by every page that a browser on this machine shows. What such a page cannot forge
decides: Host (a name that someone else's DNS binds to 127.0.0.1 is not one of ours), Origin and Sec-Fetch-Site (which
page asks), and a content type that no form can send.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from typing import Any

from recurra.serving.access import Access
from recurra.serving.limits import Limits
from recurra.serving.refusals import Refusal, unavailable

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
OPEN = frozenset({HEALTH, "/session"})  # answered without a key
DIGITS = 18  # of a length: more are too many


class Guard:
    """The application behind its checks. `open_paths` are answered without a key, since they hold nothing secret."""

    def __init__(
        self, application: Application, access: Access, limits: Limits, open_paths: frozenset[str] = OPEN
    ) -> None:
        self.application, self.access, self.limits, self.open_paths = application, access, limits, open_paths
        self._bodies = 0  # requests with a body that are being answered

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """Answer one request, or pass it on."""
        if scope["type"] == "lifespan":
            await self.application(scope, receive, send)
        elif scope["type"] == "http":
            await self._answer(scope, receive, with_headers(send))
        else:
            await send({"type": "websocket.close", "code": 1008})

    async def _answer(self, scope: Any, receive: Receive, send: Send) -> None:
        try:
            check(scope, self.access, self.open_paths)
            if scope["method"] == "POST":
                await self._with_body(scope, receive, send)
            elif scope["method"] == "HEAD":
                await self._without_body(scope, receive, send)
            else:
                await self.application(scope, receive, send)
        except Refusal as refusal:
            await refuse(send, refusal)

    async def _with_body(self, scope: Any, receive: Receive, send: Send) -> None:
        body = await read_body(scope, receive, self.limits.body)
        if body is None:
            return
        if self._bodies >= self.limits.requests:  # counted from here on: half a body keeps nobody else out
            raise unavailable(f"{self.limits.requests} requests are under way; try again soon.")
        self._bodies += 1
        try:
            await self.application(scope, replayed(body, receive), send)
        finally:
            self._bodies -= 1

    async def _without_body(self, scope: Any, receive: Receive, send: Send) -> None:
        """Answer HEAD as GET, and end where the body begins: it may be a stream without an end."""
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
    """Refusal unless the request may reach the application."""
    host = _only(scope, b"host")
    if scope["path"] == HEALTH:
        host = ""  # a probe calls a pod or a container by its address, and learns nothing but that it answers
    elif host is None or not access.is_own_host(host):
        raise Refusal(
            HTTPStatus.MISDIRECTED_REQUEST,
            "this server does not answer to that name; start it with --allow-host NAME if it is yours.",
            code="host",
        )
    if not scope["path"].startswith("/"):
        raise Refusal(HTTPStatus.BAD_REQUEST, "the target must be a path.", code="target")
    origins = list(_values(scope, b"origin"))
    if any(not access.is_own_origin(origin, host) for origin in origins):
        raise Refusal(HTTPStatus.FORBIDDEN, "pages of other origins may not call this server.", code="origin")
    if any(site.lower() == "cross-site" for site in _values(scope, b"sec-fetch-site")) and not _is_link(scope):
        raise Refusal(HTTPStatus.FORBIDDEN, "other sites may not call this server.", code="origin")
    if scope["method"] == "POST" and not _is_json(_only(scope, b"content-type")):
        raise Refusal(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "the body must have Content-Type: application/json.", code="content_type"
        )
    if access.key is not None and scope["path"] not in open_paths and not shows_key(scope, access):
        raise Refusal(
            HTTPStatus.UNAUTHORIZED,
            "this server wants its key: Authorization: Bearer KEY.",
            code="invalid_api_key",
            headers={"WWW-Authenticate": "Bearer"},
        )


def _is_link(scope: Any) -> bool:
    """Return True if a person follows a link to a page of ours: the page that has the link cannot read the answer."""
    wanted = _only(scope, b"sec-fetch-mode"), _only(scope, b"sec-fetch-dest")
    return scope["method"] == "GET" and wanted == ("navigate", "document")


def shows_key(scope: Any, access: Access) -> bool:
    """Whether the request has the key, or the cookie of a browser that has shown it."""
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
    """The value of a header that comes once; None where it is missing, or comes twice."""
    values = list(_values(scope, name))
    return values[0] if len(values) == 1 else None


def _is_json(content_type: str | None) -> bool:
    return content_type is not None and content_type.partition(";")[0].strip().lower() == "application/json"


async def read_body(scope: Any, receive: Receive, limit: int) -> bytes | None:
    """The whole body, None where the client leaves before its end; Refusal where it has more bytes than `limit`."""
    too_large = Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body has more than {limit:,} bytes.", code="body")
    declared = _only(scope, b"content-length")
    if declared is not None and declared.isdecimal() and (len(declared) > DIGITS or int(declared) > limit):
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


def replayed(body: bytes, receive: Receive) -> Receive:
    """`receive` of a request whose body has been read: it comes first, then whatever follows."""
    waiting = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_again() -> Message:
        return waiting.pop() if waiting else await receive()

    return receive_again


def with_headers(send: Send) -> Send:
    """`send` with the headers that every answer has; a cache rule of its own stays."""

    async def send_guarded(message: Message) -> None:
        if message["type"] == "http.response.start":
            own = list(message.get("headers", ()))
            there = {name.lower() for name, _ in own}
            message["headers"] = own + [(name, value) for name, value in HEADERS.items() if name not in there]
        await send(message)

    return send_guarded


async def refuse(send: Send, refusal: Refusal) -> None:
    """Answer with a refusal, and end the connection: whatever the client still sends is not read."""
    body = refusal.encoded()
    headers = {"Content-Type": "application/json", "Content-Length": str(len(body)), "Connection": "close"}
    named = [(name.lower().encode(), value.encode()) for name, value in (headers | refusal.headers).items()]
    await send({"type": "http.response.start", "status": refusal.status, "headers": named})
    await send({"type": "http.response.body", "body": body})
