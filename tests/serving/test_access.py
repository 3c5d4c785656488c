"""Access to the server: every address but loopback needs a strong key."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from recurra.errors import UsageError
from recurra.serving.access import VARIABLE, Access, access, is_loopback, max_entropy_bits, read_key

KEY = "k3y-0f-m0re-than-128-bits-Zq8xW2vB7nM4"


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost", "LOCALHOST"])
def test_loopback_addresses_need_no_key(host: str) -> None:
    assert is_loopback(host)
    assert access(host, 8000).key is None


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "gpu.example", "127.0.0.1.evil.example", ""])  # noqa: S104 - refused
def test_another_address_needs_a_key(host: str) -> None:
    with pytest.raises(UsageError, match="reachable from other machines: it needs an API key") as caught:
        access(host, 8000, names=("gpu.example",))
    assert VARIABLE in str(caught.value.hint)
    assert access(host, 8000, names=("gpu.example",), key=KEY).key == KEY


def test_wildcard_address_needs_host_names() -> None:
    with pytest.raises(UsageError, match="listens on every address: add each host name that clients use"):
        access("0.0.0.0", 8000, key=KEY)  # noqa: S104 - refused


def test_hosts_of_loopback() -> None:
    assert access("127.0.0.1", 8000).hosts == {"127.0.0.1:8000", "localhost:8000", "[::1]:8000"}
    assert "localhost" in access("127.0.0.1", 80).hosts


def test_hosts_of_other_addresses_and_names() -> None:
    assert access("192.0.2.7", 81, key=KEY).hosts >= {"192.0.2.7:81", "localhost:81"}
    assert "[2001:db8::1]:81" in access("2001:db8::1", 81, key=KEY).hosts
    named = access("::", 81, names=("GPU.example", "proxy.example:444", "[2001:db8::1]"), key=KEY).hosts
    assert named >= {"gpu.example:81", "gpu.example", "proxy.example:444", "[2001:db8::1]:81"}
    assert "proxy.example" not in named
    assert "[::]:81" not in named


@pytest.mark.parametrize("name", ["http://gpu.example", "a@b", "a b", "gpu.exämple", "a,b", "\x1b[31m"])
def test_invalid_host_name_is_an_error(name: str) -> None:
    with pytest.raises(UsageError, match="`--allow-host` must be a name"):
        access("127.0.0.1", 8000, names=(name,))


def test_origins_of_this_server() -> None:
    server_access = access("127.0.0.1", 8000, names=("proxy.example",))
    for origin in ("http://localhost:8000", "https://proxy.example", "HTTP://127.0.0.1:8000"):
        assert server_access.is_own_origin(origin)
    for origin in ("null", "localhost:8000", "ws://localhost:8000", "http://localhost", "http://localhost:8000/x"):
        assert not server_access.is_own_origin(origin)


def test_host_name_without_port_is_valid_at_any_port() -> None:
    server_access = access("127.0.0.1", 8000, names=("proxy.example", "gpu.example:444"))
    for host in ("localhost:9000", "127.0.0.1:81", "[::1]:9", "LOCALHOST", "proxy.example:9000", "gpu.example:444"):
        assert server_access.is_own_host(host)
    for host in ("evil.example:8000", "localhost.evil.example:8000", "gpu.example:445", "localhost:x", "::1", ""):
        assert not server_access.is_own_host(host)
    assert access("192.0.2.7", 81, key=KEY).is_own_host("192.0.2.7:9000")


def test_origin_with_another_port_is_foreign() -> None:
    """A page may still send requests to the host and port from which it was loaded."""
    server_access = access("127.0.0.1", 8000)
    assert server_access.is_own_origin("http://localhost:9000", "LOCALHOST:9000")
    assert not server_access.is_own_origin("http://localhost:9000", "localhost:8000")
    assert not server_access.is_own_origin("http://", "")


def test_key_is_read_from_file(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(f"{KEY}\n")
    assert read_key(tmp_path / "key") == KEY


def test_key_file_overrides_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert read_key(None) is None
    monkeypatch.setenv(VARIABLE, KEY)
    assert read_key(None) == KEY
    (tmp_path / "key").write_text(KEY[::-1])
    assert read_key(tmp_path / "key") == KEY[::-1]


@pytest.mark.parametrize(
    "key", ["", "hidden", "x" * 500, "abcabcabc" * 5, f"{KEY} and", f"k\u00e9{KEY}", f"{KEY}\n{KEY}"]
)
def test_weak_key_is_an_error(tmp_path: Path, key: str) -> None:
    (tmp_path / "key").write_text(key)
    with pytest.raises(
        UsageError, match=r"must be printable ASCII without spaces, and have 128 bits or more"
    ) as caught:
        read_key(tmp_path / "key")
    assert not key or key not in str(caught.value)


def test_unreadable_key_file_is_an_error(tmp_path: Path) -> None:
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(UsageError, match="cannot read the key in"):
            read_key(path)
    (tmp_path / "key").write_bytes(b"\xff" * 50)
    with pytest.raises(UsageError, match="cannot read the key in"):
        read_key(tmp_path / "key")
    (tmp_path / "key").write_bytes(b"x" * 10_000)
    with pytest.raises(UsageError, match="more than 4,096 bytes"):
        read_key(tmp_path / "key")


def test_max_entropy_bits() -> None:
    assert max_entropy_bits("aaaa") == 0
    assert max_entropy_bits("abcd") == 8
    assert math.isclose(max_entropy_bits("aabb"), 4)


def test_repr_and_session_do_not_contain_the_key() -> None:
    assert KEY not in repr(Access(frozenset(), KEY))
    assert KEY not in Access(frozenset(), KEY).session


def test_without_a_key_no_candidate_is_valid() -> None:
    assert not Access(frozenset()).is_key("")
    assert not Access(frozenset()).is_session(Access(frozenset()).session)
