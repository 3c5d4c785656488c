"""The routes of the live page: by name alone, bounded, and the same bytes that a report holds."""

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
    """The first parts of a stream; then the client leaves."""
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


def test_the_page_asks_for_relative_addresses() -> None:
    """Behind a prefix, an absolute one leads out of the server."""
    code = asset("page.html") + script("page.js")
    asked = re.findall(r"""(?:fetch|EventSource)\((["`][^"`]*)|base: (`[^`]*)|(?:href|src)=("[^"]*)""", code)
    addresses = ["".join(found)[1:] for found in asked]
    assert {"page.css", "page.js", "session", "runs"} <= set(addresses)
    assert "runs/${encodeURIComponent(name)}" in addresses
    assert [address for address in addresses if address.startswith(("/", "http"))] == []


def test_the_last_message_of_a_server_that_stops_has_the_end_of_the_run(folder: Path, tmp_path: Path) -> None:
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

    told = run(work())
    assert [message["health"]["state"] for message in told] == ["Training", "Finished"]


def test_three_files_with_a_policy_and_no_markup_of_a_run(guard: Guard) -> None:
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


def test_the_page_weighs_little(guard: Guard) -> None:
    async def weigh() -> int:
        async with client(guard) as web:
            return sum([len((await web.get(path)).content) for path in ("/", "/page.css", "/page.js")])

    assert run(weigh()) <= 150_000


def test_runs_are_asked_for_by_name(guard: Guard) -> None:
    async def get() -> None:
        async with client(guard) as web:
            assert (await web.get("/runs")).json() == {"runs": ["fable"], "live": None}
            for name in ("nothing", "..", "%2e%2e", "..%2f..%2fetc", "%252e%252e", "fable%00", "CON", "/etc"):
                for what in ("points?first=0&last=9", "model", "events"):
                    assert (await web.get(f"/runs/{name}/{what}")).status_code == 404

    run(get())


def test_the_model_is_that_of_the_report(guard: Guard, folder: Path) -> None:
    async def get() -> bytes:
        async with client(guard) as web:
            answer = await web.get("/runs/fable/model")
            assert answer.headers["content-type"] == "application/octet-stream"
            return answer.content

    assert run(get()) == inline_model(folder, with_model=True).data


def test_a_run_without_a_whole_checkpoint_has_no_model_yet(guard: Guard, folder: Path, tmp_path: Path) -> None:
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


def test_points_are_those_between_two_updates(guard: Guard) -> None:
    async def get() -> None:
        async with client(guard) as web:
            found = (await web.get("/runs/fable/points?first=15&last=30")).json()
            assert found["update"] == [20, 30]
            assert (await web.get("/runs/fable/points?first=nan&last=3")).status_code == 422
            assert (await web.get("/runs/fable/points?first=-1&last=3")).status_code == 422
            assert (await web.get("/runs/fable/points")).status_code == 422

    run(get())


def test_a_stream_begins_with_all_and_goes_on_where_a_page_was(guard: Guard) -> None:
    async def look() -> tuple[list[str], list[str]]:
        parts = await first_messages(guard, "/runs/fable/events", 2)
        place = parts[1].partition("\n")[0].removeprefix("id: ")
        return parts, await first_messages(guard, "/runs/fable/events", 2, f"after={place}")

    (retry, first, *_), (_, again, *_) = run(look())
    assert retry == "retry: 1000\n\n"
    assert first.endswith("\n\n")
    told = json.loads(first.split("data: ")[1])
    assert told["metrics"]["update"] == [10, 20, 30, 40]
    assert told["health"]["state"] == "Finished"
    assert [sample["update"] for sample in told["samples"]] == [0]
    assert told["samples"][0]["text"]
    assert {"words", "copied"} <= set(told["marks"][0])
    told = json.loads(again.split("data: ")[1])
    assert (told["anew"], told["metrics"]["update"], told["samples"]) == (False, [], [])


def test_no_more_pages_than_there_is_room_for(guard: Guard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_routes, "MAX_STREAMS", 0)
    answer = run(ask(guard, "GET", "/runs/fable/events", [("Host", HOST)]))
    assert answer.status == 503
    assert answer.headers["retry-after"] == "5"


def test_a_page_that_left_makes_room(guard: Guard) -> None:
    run(first_messages(guard, "/runs/fable/events", 2))
    assert guard.application.state.pages.streams == 0  # type: ignore[attr-defined]


def test_gradients_are_checked_on_a_copy(guard: Guard, folder: Path) -> None:
    async def post() -> Any:
        async with client(guard) as web:
            return await web.post("/runs/fable/check", json={})

    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    found = run(post()).json()
    assert found["passed"] is True
    assert set(found["cells"]["elman"]) >= {"U", "W", "b", "V", "c"}
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_a_large_network_is_not_checked_while_someone_waits(guard: Guard, monkeypatch: pytest.MonkeyPatch) -> None:
    async def post() -> Any:
        async with client(guard) as web:
            return await web.post("/runs/fable/check", json={})

    monkeypatch.setattr(run_model, "PROOF_LIMIT", 10)
    answer = run(post())
    assert answer.status_code == 422
    assert "parameters: a check takes long; `recurra check` does it in a terminal." in answer.json()["error"]["message"]


@pytest.fixture
def keyed(folder: Path) -> Guard:
    return create_site(scan([folder]), Access(frozenset({HOST}), KEY))


def test_with_a_key_only_the_files_of_the_page_are_open(keyed: Guard) -> None:
    async def get() -> None:
        async with client(keyed) as web:
            for path in ("/", "/page.css", "/page.js"):
                assert (await web.get(path)).status_code == 200
            for path in ("/runs", "/runs/fable/model", "/runs/fable/events", "/runs/fable/points?first=0&last=9"):
                assert (await web.get(path)).status_code == 401
            assert (await web.post("/session", json={"key": KEY})).status_code == 204
            assert (await web.get("/runs")).json() == {"runs": ["fable"], "live": None}

    run(get())
