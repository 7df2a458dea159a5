"""The web application of the live page: the page, its files, and the stream of snapshots that it draws.

A stream ends by itself after ``STREAM_S``, and the browser opens it again. So a server that is told to stop waits no
longer than that for an open tab, and whoever may not read any more is refused at the next opening.

FastAPI resolves annotations in the module's globals, hence imports at the top; commands and Airflow's processes start
fast because they import this module late.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Protocol

import anyio
import jinja2
from fastapi import Depends, FastAPI, Header, Query
from fastapi.params import Depends as Dependency
from fastapi.responses import HTMLResponse, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from consumer.live.page.vendored import STATIC, libraries
from consumer.live.snapshot import Snapshot

# A stream is over after this; one whose browser takes nothing any more is cut off a little later.
STREAM_S = 30.0
CUT_OFF_S = 45.0
RETRY_MS = 300
_LOOK_S = 0.1

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
_templates = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True, trim_blocks=True
)


class Watching(Protocol):
    """One who looks; ``consumer.live.poller.Looking`` is one."""

    def latest(self) -> Snapshot | None:
        """Return the newest snapshot of one's topics; ``None`` before there is one. Never waits."""
        ...


class SnapshotSource(Protocol):
    """Gives snapshots to all streams of a process; ``consumer.live.poller.LivePoller`` is one."""

    def subscribe(self, topics: frozenset[str], /) -> AbstractContextManager[Watching]:
        """Begin to look at some topics, or at all when there are none; until the context ends. Never waits."""
        ...


@dataclass(frozen=True, slots=True)
class Shown:
    """What one opening of the page shows.

    :ivar topics: of these topics; of all when it is empty.
    :ivar run_id: the run that it is about; empty for none.
    :ivar missing: why there is nothing to show, in words; empty where there is.
    """

    topics: frozenset[str] = frozenset()
    run_id: str = ""
    missing: str = ""


def everything() -> Shown:
    """Show all topics."""
    return Shown()


@dataclass(frozen=True, slots=True)
class Door:
    """An address of the page: who may open it, and what it shows. Both hold for its stream too.

    :ivar path: ends with a slash; the stream is ``stream`` below it.
    :ivar shows: a dependency of FastAPI, which may take parameters of the path.
    :ivar authorize: dependencies that raise when somebody may not; asked at each opening.
    """

    path: str = "/"
    shows: Callable[..., Shown] = everything
    authorize: Sequence[Dependency] = ()


@dataclass(slots=True)
class Closing:
    """Ends all streams at once, for a server that stops."""

    _told: threading.Event = field(default_factory=threading.Event)

    def close(self) -> None:
        """End the streams, and those that are opened yet."""
        self._told.set()

    @property
    def closed(self) -> bool:
        """Whether it was told."""
        return self._told.is_set()


def build(
    source: SnapshotSource,
    *,
    base_path: str = "",
    doors: Sequence[Door] = (Door(),),
    closing: Closing | None = None,
    stream_s: float = STREAM_S,
) -> FastAPI:
    """Return the application.

    :param base_path: path below which it is reached, without a slash at its end.
    :param doors: where the page is found below that.
    :param closing: ends the streams early.
    """
    app = FastAPI(title="Streamproof live", docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(CutOff, after_s=stream_s + CUT_OFF_S - STREAM_S)
    app.mount("/static", _Files(directory=STATIC), name="static")
    streams = _Streams(source, closing or Closing(), stream_s)
    for door in doors:
        _add(app, door, f"{base_path}/static/", streams)
    return app


def _add(app: FastAPI, door: Door, static: str, streams: _Streams) -> None:
    template = _templates.get_template("live.html.j2")
    uplot = next(library for library in libraries() if library.name == "uplot")
    guards, shows = list(door.authorize), Depends(door.shows)

    @app.get(door.path, dependencies=guards)
    def page(shown: Shown = shows) -> Response:
        html = template.render(shown=shown, static=static, uplot=uplot.folder.name)
        return HTMLResponse(html, status_code=404 if shown.missing else 200, headers=HEADERS)

    @app.get(f"{door.path}stream", dependencies=guards, response_class=EventSourceResponse)
    async def stream(
        shown: Shown = shows,
        after: Annotated[float, Query(ge=0)] = 0.0,
        last_event_id: Annotated[str, Header()] = "",
    ) -> AsyncIterator[ServerSentEvent]:
        """Send each new snapshot.

        :param after: the browser has the history up to this time, seconds since 1970; so says, of a stream that it
            opens again by itself, ``last_event_id``.
        """
        if not shown.missing:
            async for event in streams.events(shown, _seconds(last_event_id) or after):
                yield event


@dataclass(frozen=True, slots=True)
class _Streams:
    """What all streams of an application have in common."""

    source: SnapshotSource
    closing: Closing
    stream_s: float

    async def events(self, shown: Shown, after: float) -> AsyncIterator[ServerSentEvent]:
        clock = asyncio.get_running_loop().time
        end, sent = clock() + self.stream_s, -1
        with self.source.subscribe(shown.topics) as looking:
            while clock() < end and not self.closing.closed:
                snapshot = looking.latest()
                if snapshot is not None and snapshot.number != sent:
                    sent = snapshot.number
                    document = snapshot.as_json(history_after=after)
                    after = max([after, *(topic.history.times[-1] for topic in snapshot.topics if topic.history.times)])
                    yield ServerSentEvent(raw_data=_compact(document), id=str(after), retry=RETRY_MS)
                await asyncio.sleep(_LOOK_S)


def _compact(document: dict[str, Any]) -> str:
    return json.dumps(document, separators=(",", ":"))


def _seconds(event_id: str) -> float:
    try:
        return max(0.0, float(event_id))
    except ValueError:
        return 0.0


class CutOff:
    """Ends a request that is still going on after its time: a browser that takes nothing would hold it for ever."""

    def __init__(self, app: ASGIApp, after_s: float) -> None:
        self._app, self._after_s = app, after_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        with anyio.move_on_after(self._after_s):
            await self._app(scope, receive, send)


class _Files(StaticFiles):
    """Files of the page. They are the same for everybody, and the browser asks each time whether they are new."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = "no-cache"
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response
