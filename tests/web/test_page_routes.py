"""The routes of the live page: access only by name, bounded, with the same bytes as a report."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

import recurra
from recurra.serving.access import Access
from recurra.serving.registry import scan
from recurra.serving.security import Guard
from recurra.web import page_routes, run_model
from recurra.web.assets import asset, script
from recurra.web.inlined_model import inline_model
from recurra.web.site import create_site
from serving_client import HOST, ask, client, run

BOOK = "A small book, of few words, read many times over.\n" * 60
KEY = "k3y-0f-m0re-than-128-bits-Zq8xW2vB7nM4"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("routes") / "fable"
    recurra.train(text=BOOK, run=made, updates=40, hidden_size=8, proof=False, preset="classic", log_every=10)
    return made


@pytest.fixture
def guard(folder: Path) -> Guard:
    return create_site(scan([folder]), Access(frozenset({HOST})))


async def first_messages(guard: Guard, path: str, count: int, query: str = "") -> list[str]:
    """Return the first parts of a stream, then close the connection."""
    parts: list[str] = []
    enough = asyncio.Event()
    scope = {
        "type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1", "method": "GET",
        "scheme": "http", "path": path, "raw_path": path.encode(), "query_string": query.encode(), "root_path": "",
        "headers": [(b"host", HOST.encode())], "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 8000), "state": {},
    }  # fmt: skip
    asked = iter([{"type": "http.request", "body": b"", "more_body": False}])

    async def receive() -> dict[str, Any]:
        for message in asked:
            return message
        await enough.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.body" and message.get("body"):
            parts.append(message["body"].decode())
            if len(parts) >= count:
                enough.set()

    await asyncio.wait_for(guard(scope, receive, send), 30)
    return parts


def test_page_requests_relative_addresses() -> None:
    """Check it since an absolute address leads out of a server behind a prefix."""
    code = asset("page.html") + script("page.js")
    matches = re.findall(r"""(?:fetch|EventSource)\((["`][^"`]*)|base: (`[^`]*)|(?:href|src)=("[^"]*)""", code)
    addresses = ["".join(groups)[1:] for groups in matches]
    assert {"page.css", "page.js", "session", "runs"} <= set(addresses)
    assert "runs/${encodeURIComponent(name)}" in addresses
    assert [address for address in addresses if address.startswith(("/", "http"))] == []


def test_last_message_of_a_stopping_server_has_the_final_state(folder: Path, tmp_path: Path) -> None:
    run_folder = tmp_path / "fable"
    shutil.copytree(folder, run_folder)
    (run_folder / "summary.json").unlink()
    guard = create_site(scan([run_folder]), Access(frozenset({HOST})))
    services = guard.application.state.services  # type: ignore[attr-defined]  # a FastAPI

    async def work() -> list[dict[str, Any]]:
        state = page_routes.PageState(services.registry.runs)
        stream = page_routes._messages("fable", state.watches["fable"], state, services, None)
        parts = [await anext(stream), await anext(stream)]
        shutil.copy(folder / "summary.json", run_folder)
        services.stopping.set()
        parts += [part async for part in stream]
        return [json.loads(part.partition("data: ")[2]) for part in parts if "data: " in part]

    messages = run(work())
    assert [message["health"]["state"] for message in messages] == ["Training", "Finished"]


def test_static_files_have_a_policy_and_no_data_of_a_run(guard: Guard) -> None:
    async def get() -> None:
        async with client(guard) as web:
            for path, kind in (("/", "text/html"), ("/page.css", "text/css"), ("/page.js", "text/javascript")):
                answer = await web.get(path)
                assert answer.status_code == 200
                assert answer.headers["content-type"].startswith(kind)
                assert "script-src 'self'; style-src 'self';" in answer.headers["content-security-policy"]
                assert "fable" not in answer.text
            assert answer.text == script("page.js")

    run(get())


def test_page_is_small(guard: Guard) -> None:
    async def weigh() -> int:
        async with client(guard) as web:
            return sum([len((await web.get(path)).content) for path in ("/", "/page.css", "/page.js")])

    assert run(weigh()) <= 150_000


def test_only_names_give_access_to_runs(guard: Guard) -> None:
    async def get() -> None:
        async with client(guard) as web:
            assert (await web.get("/runs")).json() == {"runs": ["fable"], "live": None}
            for name in ("nothing", "..", "%2e%2e", "..%2f..%2fetc", "%252e%252e", "fable%00", "CON", "/etc"):
                for what in ("points?first=0&last=9", "model", "events"):
                    assert (await web.get(f"/runs/{name}/{what}")).status_code == 404

    run(get())


def test_page_and_report_have_the_same_model(guard: Guard, folder: Path) -> None:
    async def get() -> bytes:
        async with client(guard) as web:
            answer = await web.get("/runs/fable/model")
            assert answer.headers["content-type"] == "application/octet-stream"
            return answer.content

    assert run(get()) == inline_model(folder, with_model=True).data


def test_run_without_a_complete_checkpoint_has_no_model(guard: Guard, folder: Path, tmp_path: Path) -> None:
    async def get() -> Any:
        async with client(guard) as web:
            assert (await web.get("/runs")).status_code == 200  # makes what is shown
            guard.application.state.pages.models["fable"] = run_model.RunModel(tmp_path)  # type: ignore[attr-defined]
            model = await web.get("/runs/fable/model")
            check = await web.post("/runs/fable/check", json={})
            return model, check

    for answer in run(get()):
        assert answer.status_code == 404
        assert answer.json()["error"]["message"] == page_routes.NO_MODEL
        assert str(tmp_path) not in answer.text


def test_points_are_between_two_updates(guard: Guard) -> None:
    async def get() -> None:
        async with client(guard) as web:
            found = (await web.get("/runs/fable/points?first=15&last=30")).json()
            assert found["update"] == [20, 30]
            assert (await web.get("/runs/fable/points?first=nan&last=3")).status_code == 422
            assert (await web.get("/runs/fable/points?first=-1&last=3")).status_code == 422
            assert (await web.get("/runs/fable/points")).status_code == 422

    run(get())


def test_stream_sends_everything_and_then_continues(guard: Guard) -> None:
    async def look() -> tuple[list[str], list[str]]:
        parts = await first_messages(guard, "/runs/fable/events", 2)
        place = parts[1].partition("\n")[0].removeprefix("id: ")
        return parts, await first_messages(guard, "/runs/fable/events", 2, f"after={place}")

    (retry, first, *_), (_, again, *_) = run(look())
    assert retry == "retry: 1000\n\n"
    assert first.endswith("\n\n")
    message = json.loads(first.split("data: ")[1])
    assert message["metrics"]["update"] == [10, 20, 30, 40]
    assert message["health"]["state"] == "Finished"
    assert [sample["update"] for sample in message["samples"]] == [0]
    assert message["samples"][0]["text"]
    assert {"words", "copied"} <= set(message["marks"][0])
    message = json.loads(again.split("data: ")[1])
    assert (message["anew"], message["metrics"]["update"], message["samples"]) == (False, [], [])


def test_number_of_open_pages_is_limited(guard: Guard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_routes, "MAX_STREAMS", 0)
    answer = run(ask(guard, "GET", "/runs/fable/events", [("Host", HOST)]))
    assert answer.status == 503
    assert answer.headers["retry-after"] == "5"


def test_closed_page_is_not_counted(guard: Guard) -> None:
    run(first_messages(guard, "/runs/fable/events", 2))
    assert guard.application.state.pages.streams == 0  # type: ignore[attr-defined]


def test_gradient_check_does_not_change_the_run(guard: Guard, folder: Path) -> None:
    async def post() -> Any:
        async with client(guard) as web:
            return await web.post("/runs/fable/check", json={})

    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    found = run(post()).json()
    assert found["passed"] is True
    assert set(found["cells"]["elman"]) >= {"U", "W", "b", "V", "c"}
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_gradient_check_of_a_large_network_is_refused(guard: Guard, monkeypatch: pytest.MonkeyPatch) -> None:
    async def post() -> Any:
        async with client(guard) as web:
            return await web.post("/runs/fable/check", json={})

    monkeypatch.setattr(run_model, "PROOF_LIMIT", 10)
    answer = run(post())
    assert answer.status_code == 422
    assert "parameters, above the limit of" in answer.json()["error"]["message"]


@pytest.fixture
def keyed(folder: Path) -> Guard:
    return create_site(scan([folder]), Access(frozenset({HOST}), KEY))


def test_only_static_files_are_open_without_the_key(keyed: Guard) -> None:
    async def get() -> None:
        async with client(keyed) as web:
            for path in ("/", "/page.css", "/page.js"):
                assert (await web.get(path)).status_code == 200
            for path in ("/runs", "/runs/fable/model", "/runs/fable/events", "/runs/fable/points?first=0&last=9"):
                assert (await web.get(path)).status_code == 401
            assert (await web.post("/session", json={"key": KEY})).status_code == 204
            assert (await web.get("/runs")).json() == {"runs": ["fable"], "live": None}

    run(get())
