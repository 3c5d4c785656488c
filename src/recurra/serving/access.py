"""Access to the server: the host names that it accepts, and the API key."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import math
import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from recurra.errors import UsageError
from recurra.io import bounded_io

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
WILDCARDS = ("0.0.0.0", "::")  # noqa: S104 - `require_guarded` accepts them only with a key and names
VARIABLE = "RECURRA_API_KEY"
MIN_KEY_BITS = 128
MAX_KEY_BYTES = 4096
HTTP_PORT = 80  # a browser omits it from the header Host
MAKE_KEY = "make one: python3 -c 'import secrets; print(secrets.token_urlsafe(32))' > key.txt"


@dataclass(frozen=True)
class Access:
    """The host names and the key that one server accepts.

    Attributes:
        hosts: accepted values of the header Host, in lower case.
        key: API key that every request must contain; None: the server needs no key.
        cookie: name of the cookie that stores `session` in a browser that has sent the key.
        names: host names accepted with any port, since port forwarding changes the port number.
    """

    hosts: frozenset[str]
    key: str | None = field(default=None, repr=False)
    cookie: str = "recurra"
    names: frozenset[str] = frozenset()

    @property
    def session(self) -> str:
        """A digest of the key. The server accepts it in place of the key; nobody can compute the key from it."""
        return hmac.new((self.key or "").encode(), b"recurra session", hashlib.sha256).hexdigest()

    def is_key(self, candidate: str) -> bool:
        """Return True if `candidate` is the key, in a time that does not depend on the number of equal characters."""
        return self.key is not None and hmac.compare_digest(candidate.encode(), self.key.encode())

    def is_session(self, cookie: str) -> bool:
        """Return True if `cookie` is the cookie of a browser that has sent the key."""
        return self.key is not None and hmac.compare_digest(cookie.encode(), self.session.encode())

    def is_own_host(self, host: str) -> bool:
        """Return True if `host`, a value of the header Host, names this server.

        Check the name: an attacker's DNS server can map a foreign name to this machine. A page cannot forge the port.
        """
        host = host.lower()
        return host in self.hosts or _without_port(host) in self.names

    def is_own_origin(self, origin: str, host: str = "") -> bool:
        """Return True if this server sent the page with this origin: the origin's host is `host` or one of `hosts`.

        Args:
            origin: value of the header Origin.
            host: value of the header Host in the same request.
        """
        scheme, _, origin_host = origin.lower().partition("://")
        return scheme in ("http", "https") and (origin_host in self.hosts or origin_host == host.lower() != "")


def is_loopback(host: str) -> bool:
    """Return True if only this machine can connect to the address `host`."""
    try:
        return host.lower() == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def access(host: str, port: int, *, names: tuple[str, ...] = (), key: str | None = None) -> Access:
    """Return the access rules of a server that listens at `host` and `port`.

    Args:
        host: address on which the server listens.
        port: port number.
        names: further host names of the server, each with or without a port.
        key: API key, or None.
    Raises: UsageError if anyone on the network could call the server: without a key, or under any host name.
    """
    require_guarded(host, names, key)
    own_names = [*LOOPBACK, *(() if host in WILDCARDS else (_bracketed(host),))]
    hosts = {f"{name}:{port}" for name in own_names} | (set(own_names) if port == HTTP_PORT else set())
    for name in names:
        hosts |= {name} if _has_port(name) else {f"{name}:{port}", name}
    any_port = {*own_names, *(name for name in names if not _has_port(name))}
    return Access(_lower(hosts), key, f"recurra-{port}", _lower(any_port))


def require_guarded(host: str, names: tuple[str, ...], key: str | None) -> None:
    """Raise UsageError if anyone on the network could call a server at `host`; see `access`."""
    for name in names:
        if not name.isascii() or not name.isprintable() or set(name) & set("/@?# ,\\"):
            raise UsageError(
                f"`--allow-host` must be a name such as gpu.example or gpu.example:8000; got {name!r:.80}."
            )
    if is_loopback(host):
        return
    if key is None:
        raise UsageError(
            f"`--host {host}` makes the server reachable from other machines: it needs an API key.",
            hint=f"{MAKE_KEY}; then add --api-key-file key.txt, or set {VARIABLE}.",
        )
    if host in WILDCARDS and not names:
        raise UsageError(
            f"`--host {host}` listens on every address: add each host name that clients use.",
            hint="--allow-host gpu.example, or --allow-host 192.0.2.7",
        )


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _lower(names: set[str]) -> frozenset[str]:
    return frozenset(name.lower() for name in names)


def _without_port(name: str) -> str:
    return name.rpartition(":")[0] if _has_port(name) else name


def _has_port(name: str) -> bool:
    return name.rpartition(":")[2].isdigit() and not name.endswith("]")


def read_key(path: Path | None) -> str | None:
    """Return the API key from the file `path`; without a path, from the environment; None if there is no key.

    Raises: UsageError if the file cannot be read or the key is easy to guess.
    """
    if path is not None:
        try:
            text, source = bounded_io.read(path, MAX_KEY_BYTES).decode("utf-8"), f"`{path}`"
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"cannot read the key in `{path}`: {getattr(error, 'strerror', None) or error}.") from None
    else:
        text, source = os.environ.get(VARIABLE, ""), VARIABLE
        if not text:
            return None
    key = text.strip()
    if not (key.isascii() and key.isprintable() and " " not in key) or max_entropy_bits(key) < MIN_KEY_BITS:
        raise UsageError(
            f"the key in {source} must be printable ASCII without spaces, and have {MIN_KEY_BITS} bits or more.",
            hint=MAKE_KEY,
        )
    return key


def max_entropy_bits(key: str) -> float:
    """Return an upper bound of the entropy of `key` in bits: its length times the entropy of its characters."""
    counts = Counter(key).values()
    return math.fsum(count * math.log2(len(key) / count) for count in counts)
