"""Who may call the server: the host names that it accepts, and the key."""

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
KEY_BITS = 128
LONGEST_KEY = 4096  # bytes
HTTP_PORT = 80  # a browser leaves it out of the header Host
MAKE_KEY = "make one: python3 -c 'import secrets; print(secrets.token_urlsafe(32))' > key.txt"


@dataclass(frozen=True)
class Access:
    """Who may call one server.

    hosts    accepted values of the header Host, in lower case
    key      if set, every request must have it
    cookie   name of the cookie that holds `session` in a browser that has sent the key
    names    host names that are accepted at any port: a forwarded port has another number on the other side
    """

    hosts: frozenset[str]
    key: str | None = field(default=None, repr=False)
    cookie: str = "recurra"
    names: frozenset[str] = frozenset()

    @property
    def session(self) -> str:
        """A digest of the key: this server accepts it in place of the key, which cannot be computed from it."""
        return hmac.new((self.key or "").encode(), b"recurra session", hashlib.sha256).hexdigest()

    def is_key(self, given: str) -> bool:
        """Return True if `given` is the key; the time taken does not depend on how much of it is right."""
        return self.key is not None and hmac.compare_digest(given.encode(), self.key.encode())

    def is_session(self, given: str) -> bool:
        """Return True if `given` is the cookie of a browser that has sent the key."""
        return self.key is not None and hmac.compare_digest(given.encode(), self.session.encode())

    def is_own_host(self, host: str) -> bool:
        """Return True if requests to `host`, a value of the header Host, are for this server.

        A name must be checked, since a foreign one can be bound to this machine's address; the port cannot be forged.
        """
        host = host.lower()
        return host in self.hosts or _without_port(host) in self.names

    def is_own_origin(self, origin: str, host: str = "") -> bool:
        """Return True if a page of this origin is ours: it came from `host`, to which it now sends, or from `hosts`."""
        scheme, _, own = origin.lower().partition("://")
        return scheme in ("http", "https") and (own in self.hosts or own == host.lower() != "")


def is_loopback(host: str) -> bool:
    """Return True if only this machine reaches the address `host`."""
    try:
        return host.lower() == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def access(host: str, port: int, *, names: tuple[str, ...] = (), key: str | None = None) -> Access:
    """Return who may call a server that listens at `host` and `port`; `names` are further names of it.

    UsageError if everyone on the network could: without a key, or by any name.
    """
    require_guarded(host, names, key)
    own = [*LOOPBACK, *(() if host in WILDCARDS else (_bracketed(host),))]
    hosts = {f"{name}:{port}" for name in own} | (set(own) if port == HTTP_PORT else set())
    for name in names:
        hosts |= {name} if _has_port(name) else {f"{name}:{port}", name}
    anywhere = {*own, *(name for name in names if not _has_port(name))}
    return Access(_lower(hosts), key, f"recurra-{port}", _lower(anywhere))


def require_guarded(host: str, names: tuple[str, ...], key: str | None) -> None:
    """Raise UsageError unless a server at `host` is safe from the network: see `access`."""
    for name in names:
        if not name.isascii() or not name.isprintable() or set(name) & set("/@?# ,\\"):
            raise UsageError(
                f"`--allow-host` must be a name such as gpu.example or gpu.example:8000; got {name!r:.80}."
            )
    if is_loopback(host):
        return
    if key is None:
        raise UsageError(
            f"`--host {host}` lets others reach this server: it needs a key.",
            hint=f"{MAKE_KEY}; then add --api-key-file key.txt, or set {VARIABLE}.",
        )
    if host in WILDCARDS and not names:
        raise UsageError(
            f"`--host {host}` listens at every address: by which names do clients call it?",
            hint="name each: --allow-host gpu.example, or --allow-host 192.0.2.7",
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
    """Return the key in the file `path`, else in the environment, else None. UsageError if it is easy to guess."""
    if path is not None:
        try:
            text, source = bounded_io.read(path, LONGEST_KEY).decode("utf-8"), f"`{path}`"
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"cannot read the key in `{path}`: {getattr(error, 'strerror', None) or error}.") from None
    else:
        text, source = os.environ.get(VARIABLE, ""), VARIABLE
        if not text:
            return None
    key = text.strip()
    if not (key.isascii() and key.isprintable() and " " not in key) or bits(key) < KEY_BITS:
        raise UsageError(
            f"the key in {source} must be printable ASCII without spaces, and have {KEY_BITS} bits or more.",
            hint=MAKE_KEY,
        )
    return key


def bits(key: str) -> float:
    """Return an upper bound of the entropy of `key` in bits: its length times the entropy of its characters."""
    counts = Counter(key).values()
    return math.fsum(count * math.log2(len(key) / count) for count in counts)
