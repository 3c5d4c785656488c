"""The live page: three files, the events of a run, its model, and the check of its gradients.

A page is told of a run as often as it takes what it is told, ten times a second at most: what a message says is made
when it is sent, from where that page is, so that nothing waits in a queue and a slow page misses nothing.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Request
from fastapi.responses import Response, StreamingResponse
from pydantic import BaseModel

from recurra.errors import RecurraError
from recurra.serving.registry import LiveRun
from recurra.serving.responses import HTTPError, unavailable
from recurra.serving.schemas import RequestBody
from recurra.serving.services import Services, get_services
from recurra.web.assets import asset, script
from recurra.web.insight import Insight
from recurra.web.run_watch import Watch, place_of
from recurra.web.snapshot import Snapshots

router = APIRouter(include_in_schema=False)  # of the page alone
OPEN_PATHS = frozenset({"/", "/page.css", "/page.js"})  # they hold nothing of a run
STREAMS = 16  # pages at once
PAUSE = 0.4  # seconds between two messages, at least
SILENCE = 10.0  # seconds after which a page is told that the server is still there
NO_MODEL = "there is no whole checkpoint yet."
RETRY = 1000  # milliseconds after which a browser asks again


class Show:
    """The runs that pages look at, by name; how many pages there are."""

    def __init__(self, folders: dict[str, Path]) -> None:
        self.watches = {name: Watch(folder) for name, folder in folders.items()}
        self.insights = {name: Insight(watch) for name, watch in self.watches.items()}
        self.snapshots = {name: Snapshots(watch.folder) for name, watch in self.watches.items()}
        self.streams = 0
        self.looking = asyncio.Lock()


def show_of(request: Request, services: Annotated[Services, Depends(get_services)]) -> Show:
    """That of the application, made when it is first asked for."""
    state = request.app.state
    if not hasattr(state, "show"):
        state.show = Show(services.registry.runs)
    found: Show = state.show
    return found


Shown = Annotated[Show, Depends(show_of)]


def watch_of(name: str, show: Shown) -> Watch:
    """The run of that name; HTTPError where there is none."""
    if name not in show.watches:
        raise HTTPError(HTTPStatus.NOT_FOUND, "there is no run of that name; see /runs.", code="run_not_found")
    return show.watches[name]


Watched = Annotated[Watch, Depends(watch_of)]


@router.get("/")
async def page() -> Response:
    """The page itself, the same one for every run."""
    return Response(asset("page.html"), media_type="text/html")


@router.get("/page.css")
async def style() -> Response:
    """Its style sheet."""
    sheet = "".join(map(asset, ("palette.css", "panels.css", "page.css")))
    return Response(sheet, media_type="text/css")


@router.get("/page.js")
async def code() -> Response:
    """Its script."""
    return Response(script("page.js"), media_type="text/javascript")


class RunList(BaseModel):
    """The names of the runs; for the page of a training, what it shows at the end."""

    runs: list[str]
    live: LiveRun | None


@router.get("/runs")
async def runs(show: Shown, services: Annotated[Services, Depends(get_services)]) -> RunList:
    """What there is to look at."""
    return RunList(runs=list(show.watches), live=services.registry.live)


@router.get("/runs/{name}/events")
async def events(
    name: str,
    watch: Watched,
    show: Shown,
    services: Annotated[Services, Depends(get_services)],
    after: Annotated[str | None, Query(max_length=120)] = None,
    last_event_id: Annotated[str | None, Header(max_length=120)] = None,
) -> StreamingResponse:
    """What happens in the run, as server-sent events; `after`, or Last-Event-ID, is where a page goes on."""
    if show.streams >= STREAMS:
        raise unavailable(f"{STREAMS} pages look already.", 5)
    told = _told(name, watch, show, services, last_event_id or after)
    return StreamingResponse(told, media_type="text/event-stream")


async def _told(name: str, watch: Watch, show: Show, services: Services, after: str | None) -> AsyncIterator[str]:
    """The messages of one page, until it leaves or the server stops; the last one is of the files as they are then."""
    show.streams += 1
    looking = asyncio.create_task(_look(name, show))
    place, silent = place_of(after), 0.0
    try:
        yield f"retry: {RETRY}\n\n"
        is_last = False
        while not is_last:
            is_last = services.stopping.is_set()
            await asyncio.to_thread(watch.refresh, at_once=is_last)
            now = watch.place
            if now != place:
                message = json.dumps(watch.since(place), separators=(",", ":"))
                yield f"id: {now}\ndata: {message}\n\n"
                place, silent = now, 0.0
            elif silent >= SILENCE:
                yield ": here\n\n"
                silent = 0.0
            silent += PAUSE
            await _rest(services.stopping, PAUSE)
    finally:
        show.streams -= 1
        looking.cancel()


async def _rest(stopping: asyncio.Event, seconds: float) -> None:
    """Wait, or until the server stops."""
    try:
        await asyncio.wait_for(stopping.wait(), seconds)
    except TimeoutError:
        return


async def _look(name: str, show: Show) -> None:
    """Find out what takes long while a page looks, one at a time."""
    while True:
        async with show.looking:
            await asyncio.to_thread(show.insights[name].look)
        await asyncio.sleep(1)


@router.get("/runs/{name}/points")
async def points(
    watch: Watched,
    first: Annotated[float, Query(ge=0, le=1e15)],
    last: Annotated[float, Query(ge=0, le=1e15)],
) -> dict[str, Any]:
    """The records between two updates, at most 2,000 of them: what a page shows that looks from nearer."""
    await asyncio.to_thread(watch.refresh)
    return watch.part(first, last)


@router.get("/runs/{name}/model")
async def model(name: str, watch: Watched, show: Shown) -> Response:  # noqa: ARG001 - it must be a run
    """The model of the run, its best checkpoint so far, in the bytes of `report.packed`."""
    try:
        packed = await asyncio.to_thread(show.snapshots[name].model)
    except RecurraError as error:
        raise HTTPError(HTTPStatus.NOT_FOUND, NO_MODEL, code="model_not_found") from error
    return Response(packed, media_type="application/octet-stream")


class Nothing(RequestBody):
    """A body without fields."""


@router.post("/runs/{name}/check")
async def check(name: str, _: Nothing, watch: Watched, show: Shown) -> dict[str, Any]:  # noqa: ARG001
    """Check the gradients of the run's model, on a copy: the object of `recurra check --json`."""
    try:
        return await asyncio.to_thread(show.snapshots[name].check)
    except RecurraError as error:  # whose message may name a file
        raise HTTPError(HTTPStatus.NOT_FOUND, NO_MODEL, code="model_not_found") from error
