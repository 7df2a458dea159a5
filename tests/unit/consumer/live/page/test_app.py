"""What the page and its stream promise, over a real connection."""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
import pytest
import uvicorn
from fastapi import Depends, HTTPException

from cluster.errors import Misconfigured
from consumer.live.page import app as page_app
from consumer.live.page.app import Door, Shown, build
from consumer.live.page.serving import page_of
from consumer.live.snapshot import NewestSight, RecordSight
from tests.kit.live_snapshots import FedSource, at, snapshot_at, topic_sight
from tests.kit.waiting import wait_until


@contextmanager
def served(app) -> Iterator[tuple[str, uvicorn.Server]]:
    """Serve an application that is none of the command's; yield its address."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    wait_until(lambda: server.started, "the server")
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}", server
    finally:
        server.should_exit = True
        thread.join(20)
        assert not thread.is_alive()


def read_events(
    client: httpx.Client, address: str, count: int = 10_000, *, then: Callable[[], None] = lambda: None, **headers: str
) -> list[dict]:
    """Return events of a stream, each with its id and document: ``count`` of them, or all until it ends.

    :param then: is called at the first one.
    """
    events = []
    with client.stream("GET", address, headers=headers) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        event: dict = {}
        for line in answer.iter_lines():
            name, _, value = line.partition(": ")
            if name == "data":
                event["data"] = json.loads(value)
            elif name:
                event[name] = value
            elif event:
                events.append(event)
                event = {}
                if len(events) == 1:
                    then()
            if len(events) == count:
                break
    return events


@pytest.fixture
def source() -> FedSource:
    return FedSource()


@pytest.fixture
def http() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=20) as client:
        yield client


def test_the_page_runs_nothing_but_its_own_files(source, http):
    with page_of(source) as address:
        page = http.get(address)
        policy = dict(part.split(" ", 1) for part in page.headers["content-security-policy"].split("; "))
        assert (policy["default-src"], policy["script-src"], policy["style-src"], policy["connect-src"]) == (
            "'none'",
            "'self'",
            "'self'",
            "'self'",
        )
        assert page.headers["cache-control"] == "no-store"
        assert not re.search(r"<script(?![^>]* src=)|<style|\sstyle=|\son[a-z]+=|javascript:", page.text)
        linked = re.findall(r'(?:src|href)="(/static/[^"]+)"', page.text)
        assert len(linked) == 5
        for path in linked:
            file = http.get(address.rstrip("/") + path)
            assert (file.status_code, file.headers["x-content-type-options"]) == (200, "nosniff"), path


def test_nothing_but_its_files_can_be_fetched(source, http):
    with page_of(source) as address:
        for path in ("static/../app.py", "static/%2e%2e/app.py", "static/..%2fvendor.toml", "docs", "openapi.json"):
            assert http.get(address + path).status_code == 404, path


def test_a_page_of_somebody_elses_name_that_leads_here_is_not_answered(source, http):
    with page_of(source) as address:
        assert http.get(address, headers={"Host": "evil.example"}).status_code == 400
        port = address.rstrip("/").rpartition(":")[2]
        assert http.get(address, headers={"Host": f"localhost:{port}"}).status_code == 200


def test_a_stream_ends_by_itself_and_kafka_is_watched_only_while_it_is_open(source, http):
    with page_of(source, stream_s=0.5) as address:
        began = time.monotonic()
        (event,) = read_events(http, f"{address}stream")
        assert time.monotonic() - began >= 0.5
        assert event["data"]["topics"][0]["name"] == "shop"
        assert int(event["retry"]) <= 1000
        wait_until(lambda: source.watchers == 0, "the stream to be gone")
        assert source.openings == 1


def test_each_snapshot_is_sent_once_and_the_history_only_as_far_as_it_is_new(source, http):
    with page_of(source) as address:
        newer = snapshot_at(62)
        first, second = read_events(http, f"{address}stream", 2, then=lambda: setattr(source, "snapshot", newer))
    assert (first["data"]["number"], second["data"]["number"]) == (60, 62)
    assert len(first["data"]["topics"][0]["history"]["times"]) == 61
    assert len(second["data"]["topics"][0]["history"]["times"]) == 2


def test_a_stream_that_is_opened_again_goes_on_where_the_last_one_ended(source, http):
    with page_of(source) as address:
        (first,) = read_events(http, f"{address}stream", 1)
        source.snapshot = snapshot_at(63)
        (by_browser,) = read_events(http, f"{address}stream", 1, **{"Last-Event-ID": first["id"]})
        (by_page,) = read_events(http, f"{address}stream?after={first['id']}", 1)
        (odd,) = read_events(http, f"{address}stream", 1, **{"Last-Event-ID": "nonsense"})
    assert len(by_browser["data"]["topics"][0]["history"]["times"]) == 3
    assert len(by_page["data"]["topics"][0]["history"]["times"]) == 3
    assert len(odd["data"]["topics"][0]["history"]["times"]) == 64


def test_a_door_shows_its_topics_alone(source, http):
    source.snapshot = snapshot_at(60, topic_sight("shop"), topic_sight("other"))
    one = Door("/one/", lambda: Shown(frozenset({"other"}), "a/run"))
    nothing = Door("/none/", lambda: Shown(missing="This run names <no> topic."))
    with served(build(source, base_path="/below", doors=(Door(), one, nothing))) as (address, _):
        (event,) = read_events(http, f"{address}/one/stream", 1)
        assert [topic["name"] for topic in event["data"]["topics"]] == ["other"]
        page = http.get(f"{address}/one/").text
        assert 'src="/below/static/live.js"' in page
        assert 'data-run="a/run"' in page
        missing = http.get(f"{address}/none/")
        assert missing.status_code == 404
        assert "This run names &lt;no&gt; topic." in missing.text
        assert "<script" not in missing.text


def test_whether_somebody_may_read_is_asked_at_each_opening_of_page_and_stream(source, http):
    allowed = [True]

    def may_read() -> None:
        if not allowed[0]:
            raise HTTPException(403, "no")

    with served(build(source, doors=(Door(authorize=[Depends(may_read)]),), stream_s=0.3)) as (address, _):
        assert http.get(address).status_code == 200
        assert len(read_events(http, f"{address}/stream")) == 1
        allowed[0] = False
        assert http.get(address).status_code == 403
        assert http.get(f"{address}/stream").status_code == 403
        assert source.openings == 1


def test_a_server_that_is_told_to_stop_waits_for_an_open_stream_no_longer_than_the_stream_lasts(source, http):
    with served(build(source, stream_s=3.0)) as (address, server), http.stream("GET", f"{address}/stream") as answer:
        lines = answer.iter_lines()
        next(lines)
        server.should_exit = True
        told = time.monotonic()
        assert list(lines)
        # 3 s at most; the rest is what a busy machine takes.
        assert time.monotonic() - told < 10


def test_the_command_ends_its_streams_at_once(source, http):
    ended = threading.Event()

    def watch(address: str) -> None:
        assert read_events(http, f"{address}stream")
        ended.set()

    with page_of(source) as address:
        tab = threading.Thread(target=watch, args=(address,))
        tab.start()
        wait_until(lambda: source.watchers, "the tab")
        assert not ended.is_set()
        stopping = time.monotonic()
    tab.join(20)
    assert ended.is_set()
    assert time.monotonic() - stopping < 0.5 * page_app.STREAM_S


def test_a_browser_that_takes_nothing_is_cut_off(source, monkeypatch):
    monkeypatch.setattr(page_app, "CUT_OFF_S", page_app.STREAM_S + 1)
    # More in one snapshot than all buffers between the two take.
    record = RecordSight(0, 0, None, "k" * 16_000_000, None, None, "", None, None)
    source.snapshot = snapshot_at(60, topic_sight(newest=NewestSight((record,), at(60))))
    with served(build(source, stream_s=0.5)) as (address, _), socket.socket() as lazy:
        lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        lazy.connect(("127.0.0.1", int(address.rpartition(":")[2])))
        lazy.sendall(b"GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
        wait_until(lambda: source.openings == 1, "the stream to be open")
        wait_until(lambda: source.watchers == 0, "it to be cut off", timeout_s=60)


def test_a_port_that_is_taken_is_told_and_another_is_found_when_none_is_asked_for(source, http):
    with page_of(source) as first:
        taken = int(first.rstrip("/").rpartition(":")[2])
        with pytest.raises(Misconfigured, match=r"cannot be served.*--port"), page_of(source, port=taken):
            pass
        with page_of(source) as second:
            assert second != first
            assert http.get(second).status_code == 200
    with page_of(source, port=taken) as again:
        assert again == first
