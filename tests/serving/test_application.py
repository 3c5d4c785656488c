"""The routes that every server has, and errors in one shape."""

from __future__ import annotations

from typing import Any

import pytest

from recurra.serving.access import Access
from recurra.serving.application import create_application
from recurra.serving.registry import Registry
from recurra.serving.security import Guard
from serving_client import HOST, call, client, run

KEY = "k3y-0f-m0re-than-128-bits-Zq8xW2vB7nM4"


def test_health(guard: Guard) -> None:
    found = call(guard, "GET", "/health")
    assert (found.status_code, found.json()) == (200, {"status": "ok"})


def test_models(guard: Guard, registry: Registry) -> None:
    found = call(guard, "GET", "/v1/models").json()
    assert [one["id"] for one in found["data"]] == ["small", "bytes"]
    assert found["data"][0] == call(guard, "GET", "/v1/models/small").json()
    assert found["data"][0] == {
        "id": "small",
        "object": "model",
        "created": 1_700_000_000,
        "owned_by": "recurra",
        "cell": "elman",
        "layers": 1,
        "hidden_size": 12,
        "parameters": sum(array.size for array in registry["small"].model.parameters.values()),
        "symbols": len(registry["small"].model.vocabulary),
        "bytes": False,
        "sha256": registry["small"].model.sha256,
    }


NAMES = [
    "nothing", "..", "%2e%2e", "..%2f..%2fetc%2fpasswd", "%252e%252e%252fetc", "%2fetc%2fpasswd", "small%00", "CON",
    "small%2f", "..%5c..%5c", "file:%2f%2f%2fetc%2fpasswd", "%ff", "small.safetensors",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_no_path_is_a_name(guard: Guard, name: str) -> None:
    found = call(guard, "GET", f"/v1/models/{name}")
    assert found.status_code == 404
    assert set(found.json()["error"]) == {"message", "type", "param", "code"}
    assert "passwd" not in found.text


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/nothing", 404), ("PUT", "/health", 405), ("GET", "/docs", 404)]
)
def test_errors_of_the_framework_have_our_shape(guard: Guard, method: str, path: str, status: int) -> None:
    found = call(guard, method, path)
    assert found.status_code == status
    assert found.json()["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (b"", 422, "the body: it is missing."),
        (b"{", 400, "the body is no JSON."),
        (b"\xff", 400, "body"),
        (b"[" * 100_000, 400, "body"),
        (b"[]", 422, "the body: "),
        (b"{}", 422, "`key`: it is missing."),
        (b'{"key": 1}', 422, "`key`: "),
        (b'{"key": NaN}', 422, "`key`: "),
        (b'{"key": "x", "more": 1}', 422, "`more`: there is no such field here."),
        (b'{"key": "\\ud800"}', 422, "`key`: it has a lone surrogate, which is no character."),
        (b'{"key": "x", "\\ud800": 1}', 422, "the body: it has a lone surrogate, which is no character."),
        (b'{"key": ' + b"9" * 5000 + b"}", 400, "body"),
    ],
)
def test_bodies_that_make_no_sense(guard: Guard, body: bytes, status: int, words: str) -> None:
    found = call(guard, "POST", "/session", content=body, headers={"Content-Type": "application/json"})
    assert found.status_code == status, found.text
    assert words in found.json()["error"]["message"]


def test_a_session(registry: Registry) -> None:
    guard = create_application(registry, Access(frozenset({HOST}), KEY, "recurra-8000"))

    async def work() -> list[Any]:
        async with client(guard) as one:
            wrong = await one.post("/session", json={"key": KEY + "x"})
            odd = await one.post("/session", json={"key": "\u20ac" * 40})
            before = await one.get("/v1/models")
            right = await one.post("/session", json={"key": KEY})
            return [wrong, odd, before, right, await one.get("/v1/models")]

    found = run(work())
    assert [one.status_code for one in found] == [401, 401, 401, 204, 200]
    cookie = found[3].headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert KEY not in cookie
    assert cookie.startswith("recurra-8000=")
    assert "Path" not in cookie  # behind a prefix, the browser sends it to the paths below the prefix alone


def test_no_session_where_no_key_is_wanted(guard: Guard) -> None:
    found = call(guard, "POST", "/session", json={"key": "x"})
    assert found.status_code == 204
    assert "set-cookie" not in found.headers


def test_a_bug_is_told_without_its_words(registry: Registry) -> None:
    from fastapi import APIRouter

    router = APIRouter()

    @router.get("/broken")
    async def broken() -> None:
        raise ValueError("secret words")

    guard = create_application(registry, Access(frozenset({HOST})), routers=[router])
    found = call(guard, "GET", "/broken")
    assert found.status_code == 500
    assert found.json()["error"]["code"] == "internal"
    assert "secret" not in found.text
    assert found.headers["x-content-type-options"] == "nosniff"


def test_all_that_changes_something_is_a_post(guard: Guard) -> None:
    """The guard's checks of bodies are for POST; no route may take another method that has one."""
    application: Any = guard.application
    for path, methods in application.openapi()["paths"].items():
        assert set(methods) <= {"get", "post"}, path
