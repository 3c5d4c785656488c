"""The routes of the live page: three static files, the events of a run, its model, and the check of its gradients.

The server builds a message when it sends it, from the position of that page in the run. No queue is needed, and a slow
page does not miss data.
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
from recurra.web.run_analysis import RunAnalysis
from recurra.web.run_model import RunModel
from recurra.web.run_watch import Watch, parse_position

router = APIRouter(include_in_schema=False)  # only for the page
OPEN_PAGE_PATHS = frozenset({"/", "/page.css", "/page.js"})  # they contain no data of a run
MAX_STREAMS = 16  # open pages
MESSAGE_INTERVAL_SECONDS = 0.4  # at least, between two messages
KEEPALIVE_SECONDS = 10.0  # after so long without a message, a comment keeps the connection open
NO_MODEL = "the run has no complete checkpoint yet."
RETRY_MILLISECONDS = 1000  # until a browser connects again


class PageState:
    """The runs by name, and the number of open pages."""

    def __init__(self, folders: dict[str, Path]) -> None:
        self.watches = {name: Watch(folder) for name, folder in folders.items()}
        self.analyses = {name: RunAnalysis(watch) for name, watch in self.watches.items()}
        self.models = {name: RunModel(watch.folder) for name, watch in self.watches.items()}
        self.streams = 0
        self.analyzing = asyncio.Lock()


def get_page_state(request: Request, services: Annotated[Services, Depends(get_services)]) -> PageState:
    """Return the state of the pages of the application; the first call creates it."""
    state = request.app.state
    if not hasattr(state, "pages"):
        state.pages = PageState(services.registry.runs)
    pages: PageState = state.pages
    return pages


Pages = Annotated[PageState, Depends(get_page_state)]


def get_watch(name: str, state: Pages) -> Watch:
    """Return the watch of the run `name`; HTTPError if there is no such run."""
    if name not in state.watches:
        raise HTTPError(
            HTTPStatus.NOT_FOUND, "there is no run with this name. Expected a name from /runs.", code="run_not_found"
        )
    return state.watches[name]


WatchedRun = Annotated[Watch, Depends(get_watch)]


@router.get("/")
async def page() -> Response:
    """Return the HTML page, which is the same for every run."""
    return Response(asset("page.html"), media_type="text/html")


@router.get("/page.css")
async def style() -> Response:
    """Return the style sheet of the page."""
    sheet = "".join(map(asset, ("palette.css", "panels.css", "page.css")))
    return Response(sheet, media_type="text/css")


@router.get("/page.js")
async def code() -> Response:
    """Return the script of the page."""
    return Response(script("page.js"), media_type="text/javascript")


class RunList(BaseModel):
    """The names of the runs, and the commands that the page of a training shows at its end."""

    runs: list[str]
    live: LiveRun | None


@router.get("/runs")
async def runs(state: Pages, services: Annotated[Services, Depends(get_services)]) -> RunList:
    """List the runs."""
    return RunList(runs=list(state.watches), live=services.registry.live)


@router.get("/runs/{name}/events")
async def events(
    name: str,
    watch: WatchedRun,
    state: Pages,
    services: Annotated[Services, Depends(get_services)],
    after: Annotated[str | None, Query(max_length=120)] = None,
    last_event_id: Annotated[str | None, Header(max_length=120)] = None,
) -> StreamingResponse:
    """Stream the events of the run; `after`, or Last-Event-ID, is the position from which a page continues."""
    if state.streams >= MAX_STREAMS:
        raise unavailable(f"{MAX_STREAMS} pages are open, which is the limit. Close one of them.", 5)
    messages = _messages(name, watch, state, services, last_event_id or after)
    return StreamingResponse(messages, media_type="text/event-stream")


async def _messages(
    name: str, watch: Watch, state: PageState, services: Services, after: str | None
) -> AsyncIterator[str]:
    """Yield the messages of one page until it closes or the server stops; then yield a last one from the files."""
    state.streams += 1
    analyzing = asyncio.create_task(_analyze(name, state))
    position, silent = parse_position(after), 0.0
    try:
        yield f"retry: {RETRY_MILLISECONDS}\n\n"
        is_last = False
        while not is_last:
            is_last = services.stopping.is_set()
            await asyncio.to_thread(watch.refresh, at_once=is_last)
            now = watch.position
            if now != position:
                message = json.dumps(watch.since(position), separators=(",", ":"))
                yield f"id: {now}\ndata: {message}\n\n"
                position, silent = now, 0.0
            elif silent >= KEEPALIVE_SECONDS:
                yield ": here\n\n"
                silent = 0.0
            silent += MESSAGE_INTERVAL_SECONDS
            await _wait(services.stopping, MESSAGE_INTERVAL_SECONDS)
    finally:
        state.streams -= 1
        analyzing.cancel()


async def _wait(stopping: asyncio.Event, seconds: float) -> None:
    """Wait for `seconds`, or until the server stops."""
    try:
        await asyncio.wait_for(stopping.wait(), seconds)
    except TimeoutError:
        return


async def _analyze(name: str, state: PageState) -> None:
    """Analyze the run while a page is open, one run at a time."""
    while True:
        async with state.analyzing:
            await asyncio.to_thread(state.analyses[name].update)
        await asyncio.sleep(1)


@router.get("/runs/{name}/points")
async def points(
    watch: WatchedRun,
    first: Annotated[float, Query(ge=0, le=1e15)],
    last: Annotated[float, Query(ge=0, le=1e15)],
) -> dict[str, Any]:
    """Return the records between two updates, at most 2,000 of them, for a zoomed chart."""
    await asyncio.to_thread(watch.refresh)
    return watch.part(first, last)


@router.get("/runs/{name}/model")
async def model(name: str, watch: WatchedRun, state: Pages) -> Response:  # noqa: ARG001 - the parameter requires a run
    """Return the best checkpoint of the run so far, in the bytes of `packed_model.pack`."""
    try:
        packed = await asyncio.to_thread(state.models[name].packed)
    except RecurraError as error:
        raise HTTPError(HTTPStatus.NOT_FOUND, NO_MODEL, code="model_not_found") from error
    return Response(packed, media_type="application/octet-stream")


class EmptyBody(RequestBody):
    """A body without fields."""


@router.post("/runs/{name}/check")
async def check(name: str, _: EmptyBody, watch: WatchedRun, state: Pages) -> dict[str, Any]:  # noqa: ARG001
    """Check the gradients of a copy of the model; return the object of `recurra check --json`."""
    try:
        return await asyncio.to_thread(state.models[name].check)
    except RecurraError as error:  # its message may contain the name of a file
        raise HTTPError(HTTPStatus.NOT_FOUND, NO_MODEL, code="model_not_found") from error
