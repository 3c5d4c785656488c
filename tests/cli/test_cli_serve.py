"""`recurra serve`: errors before the server listens."""

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from calling import Call

KEY = "k3y-0f-m0re-than-128-bits-Zq8xW2vB7nM4"


@pytest.fixture(autouse=True)
def no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove the key from the environment."""
    monkeypatch.delenv("RECURRA_API_KEY", raising=False)


def with_the_extra() -> None:
    pytest.importorskip("fastapi", reason="the server needs the extra `serve`")
    pytest.importorskip("uvicorn", reason="the server needs the extra `serve`")


@pytest.mark.parametrize("missing", ["fastapi", "uvicorn"])
def test_without_the_extra(call: Call, monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    found = importlib.util.find_spec

    def find(name: str, *arguments: Any) -> Any:
        return None if name == missing else True if name in ("fastapi", "uvicorn") else found(name, *arguments)

    monkeypatch.setattr("importlib.util.find_spec", find)
    code, out, err = call("serve", "nothing")
    assert (code, out) == (2, "")
    assert f"`recurra serve` needs the package {missing}, which is not installed." in err
    assert "hint: pip install 'recurra[serve]'" in err


@pytest.mark.parametrize("port", [-1, 65536, "1e9"])
def test_invalid_port_is_error(call: Call, port: object) -> None:
    code, _, err = call("serve", "--port", port)
    assert code == 2
    assert "`--port` must be a whole number from 0 to 65535" in err


def test_no_model(call: Call) -> None:
    with_the_extra()
    assert call("serve", "nothing").code == 4
    code, _, err = call("serve")
    assert code == 4
    assert "there is no run in `runs` to serve" in err


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7"])  # noqa: S104 - to be refused
def test_no_key(call: Call, host: str) -> None:
    with_the_extra()
    code, _, err = call("serve", "nothing", "--host", host, "--allow-host", "gpu.example")
    assert code == 2
    assert "it needs an API key" in err


def test_weak_api_key_is_refused(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    with_the_extra()
    monkeypatch.setenv("RECURRA_API_KEY", "hidden")
    code, _, err = call("serve", "nothing")
    assert code == 2
    assert "128 bits" in err
    assert "hidden" not in err


def test_key_is_not_accepted_on_command_line(call: Call) -> None:
    assert call("serve", "--api-key", KEY).code == 2


def test_port_in_use_is_an_error_with_hint(call: Call, trained: Path) -> None:
    with_the_extra()
    from recurra.serving.listening import bind

    with bind("127.0.0.1", 0) as taken:
        code, _, err = call("serve", trained, "--port", taken.getsockname()[1])
    assert code == 1
    assert "Address already in use" in err
    assert "hint: if another program listens there, `--port 0` selects any free port." in err


def test_help(call: Call) -> None:
    code, out, _ = call("serve", "--help")
    assert code == 0
    assert "--api-key-file" in out
