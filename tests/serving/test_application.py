"""The common routes, and errors in one format."""

from __future__ import annotations

from typing import Any

import pytest

from recurra.serving.access import Access
from recurra.serving.application import create_application
from recurra.serving.registry import Registry
from recurra.serving.security import Guard
from serving_client import HOST, call, client, run

KEY = "k3y-0f-m0re-than-128-bits-Zq8xW2vB7nM4"


def test_health_returns_ok(guard: Guard) -> None:
    result = call(guard, "GET", "/health")
    assert (result.status_code, result.json()) == (200, {"status": "ok"})


def test_models_lists_each_model_with_its_sizes(guard: Guard, registry: Registry) -> None:
    result = call(guard, "GET", "/v1/models").json()
    assert [one["id"] for one in result["data"]] == ["small", "bytes"]
    assert result["data"][0] == call(guard, "GET", "/v1/models/small").json()
    assert result["data"][0] == {
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
def test_path_is_not_a_model_name(guard: Guard, name: str) -> None:
    result = call(guard, "GET", f"/v1/models/{name}")
    assert result.status_code == 404
    assert set(result.json()["error"]) == {"message", "type", "param", "code"}
    assert "passwd" not in result.text


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/nothing", 404), ("PUT", "/health", 405), ("GET", "/docs", 404)]
)
def test_framework_errors_have_the_error_format(guard: Guard, method: str, path: str, status: int) -> None:
    result = call(guard, method, path)
    assert result.status_code == status
    assert result.json()["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (b"", 422, "the body: this field is required."),
        (b"{", 400, "the body is not valid JSON."),
        (b"\xff", 400, "body"),
        (b"[" * 100_000, 400, "body"),
        (b"[]", 422, "the body: "),
        (b"{}", 422, "`key`: this field is required."),
        (b'{"key": 1}', 422, "`key`: "),
        (b'{"key": NaN}', 422, "`key`: "),
        (b'{"key": "x", "more": 1}', 422, "`more`: this route has no field of this name; see /openapi.json."),
        (b'{"key": "\\ud800"}', 422, "`key`: the text has a lone surrogate, which is not a character."),
        (b'{"key": "x", "\\ud800": 1}', 422, "the body: the text has a lone surrogate, which is not a character."),
        (b'{"key": ' + b"9" * 5000 + b"}", 400, "body"),
    ],
)
def test_invalid_body_is_an_error(guard: Guard, body: bytes, status: int, words: str) -> None:
    result = call(guard, "POST", "/session", content=body, headers={"Content-Type": "application/json"})
    assert result.status_code == status, result.text
    assert words in result.json()["error"]["message"]


def test_session_cookie_replaces_the_key(registry: Registry) -> None:
    guard = create_application(registry, Access(frozenset({HOST}), KEY, "recurra-8000"))

    async def work() -> list[Any]:
        async with client(guard) as one:
            wrong = await one.post("/session", json={"key": KEY + "x"})
            odd = await one.post("/session", json={"key": "\u20ac" * 40})
            before = await one.get("/v1/models")
            right = await one.post("/session", json={"key": KEY})
            return [wrong, odd, before, right, await one.get("/v1/models")]

    result = run(work())
    assert [one.status_code for one in result] == [401, 401, 401, 204, 200]
    cookie = result[3].headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert KEY not in cookie
    assert cookie.startswith("recurra-8000=")
    assert (
        "Path" not in cookie
    )  # so that behind a proxy with a path prefix, the browser sends the cookie only to paths with the prefix


def test_server_without_a_key_sets_no_cookie(guard: Guard) -> None:
    result = call(guard, "POST", "/session", json={"key": "x"})
    assert result.status_code == 204
    assert "set-cookie" not in result.headers


def test_unexpected_exception_is_reported_without_its_message(registry: Registry) -> None:
    from fastapi import APIRouter

    router = APIRouter()

    @router.get("/broken")
    async def broken() -> None:
        raise ValueError("secret words")

    guard = create_application(registry, Access(frozenset({HOST})), routers=[router])
    result = call(guard, "GET", "/broken")
    assert result.status_code == 500
    assert result.json()["error"]["code"] == "internal"
    assert "secret" not in result.text
    assert result.headers["x-content-type-options"] == "nosniff"


def test_routes_accept_only_get_and_post(guard: Guard) -> None:
    """The guard checks bodies of POST only, so that no route may accept another method with a body."""
    application: Any = guard.application
    for path, methods in application.openapi()["paths"].items():
        assert set(methods) <= {"get", "post"}, path
