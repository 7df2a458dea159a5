"""`audit --at` on what an honest pipeline stored: how fast, and in how much memory.

Each audit is a command in a process of its own. It is compared with plain reading of the same rows: what PostgreSQL
itself writes into a COPY that nobody keeps, and DuckDB's own GROUP BY of the ids. `--compare` is compared with making
the events again, and nothing else: it cannot be faster.
"""

from __future__ import annotations

import os
import shutil
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import honest
from bench.cases import CUSTOMER_EVENTS, ORDERS, RUN_ID, Case, ready_topic
from bench.child import measured
from bench.rows import within
from cluster.connection import Connection
from producer import produce_shard
from schemas.identity import IDENTITY_FIELD
from schemas.manifest import Manifest
from stack.record import read_record

LIMIT_MB = 1000.0
# Text is slow to read, and events of 39 values slow to make: a million says as much.
_MOST_OF_TEXT = 1_000_000
_COPY = """
import json, sys, psycopg
with psycopg.connect(sys.argv[1]) as connection, connection.cursor().copy(sys.argv[2]) as copy:
    print(json.dumps({"bytes": sum(len(piece) for piece in copy)}))
"""
_GROUP = """
import json, sys, duckdb
duckdb.execute("SET enable_progress_bar = false")  # it is drawn on standard output
grouped = f"SELECT count(*) AS n FROM {sys.argv[1]} GROUP BY {sys.argv[2]}"
print(json.dumps({"rows": int(duckdb.sql(f"SELECT sum(n) FROM ({grouped})").fetchall()[0][0])}))
"""
_MAKE = """
import json, sys
from pathlib import Path
from bench.honest import events_of
from schemas.manifest import Manifest
manifest = Manifest.model_validate_json(Path(sys.argv[1]).read_text())
print(json.dumps({"rows": sum(len(batch) for batch in events_of(manifest, sys.argv[2]))}))
"""


@dataclass(frozen=True, slots=True)
class _Audited:
    """One place, and what is measured of it.

    :param reference: a command that reads the same rows in the plainest way, and its name.
    """

    name: str
    events: int
    at: str
    reference: tuple[str, list[str]]
    flags: list[str] = field(default_factory=list)
    run_id: str = RUN_ID


def run(connection: Connection, events: int, folder: Path) -> list[dict[str, Any]]:
    """Audit each kind of place once, with and without ``--compare``; then a ledger.

    Two rows of the table for each: rows a second against the reference, and peak memory against 1 GB. ``details`` has
    ``rows``, ``seconds``, ``cpu_us_per_row`` and ``peak_rss_mb`` of both.
    """
    small = min(events, _MOST_OF_TEXT)
    rows = _orders(connection, events, folder / "many", text=events == small)
    if events > small:
        rows += _orders(connection, small, folder / "few", text=True, tables=False)
    return rows + _customer_events(connection, small, folder / "wide")


def _orders(
    connection: Connection, events: int, folder: Path, *, text: bool, tables: bool = True
) -> list[dict[str, Any]]:
    """Measure flat rows of eight columns."""
    with ready_topic(connection, ORDERS) as topic:
        manifest = _produced(connection, ORDERS, topic, events)
        files = honest.into_parquet(honest.events_of(manifest, ORDERS.reference), folder / "orders")
        places: list[_Audited] = []
        if tables:
            address = _postgres(folder.parent)
            honest.into_postgres(files, address)
            honest.into_duckdb(files, folder / "orders.duckdb")
            places = [
                _Audited("PostgreSQL", events, f"{address}#{honest.TABLE}", _copy(address)),
                _Audited("Parquet", events, str(files), _group(f"'{files}/*.parquet'")),
                _Audited(
                    "DuckDB file", events, f"{folder / 'orders.duckdb'}#{honest.TABLE}", _group(f"'{files}/*.parquet'")
                ),
            ]
        if text:
            for form, ending, function in (("csv", "csv", "read_csv"), ("json", "jsonl", "read_json")):
                file = folder / f"orders.{ending}"
                honest.into_text(files, file, form)
                places.append(
                    _Audited(
                        {"csv": "CSV", "json": "JSON lines"}[form], events, str(file), _group(f"{function}('{file}')")
                    )
                )
        rows = [row for place in places for row in _both(connection, topic, place, ORDERS, manifest, folder)]
        return rows + (_ledger(connection, topic, events, folder) if tables else [])


def _customer_events(connection: Connection, events: int, folder: Path) -> list[dict[str, Any]]:
    """Measure nested events of 39 values."""
    with ready_topic(connection, CUSTOMER_EVENTS) as topic:
        manifest = _produced(connection, CUSTOMER_EVENTS, topic, events)
        files = honest.into_parquet(honest.events_of(manifest, CUSTOMER_EVENTS.reference), folder / "events")
        place = _Audited("Parquet, customer_events", events, str(files), _group(f"'{files}/*.parquet'"))
        return _both(connection, topic, place, CUSTOMER_EVENTS, manifest, folder)


def _both(  # noqa: PLR0917 - what is measured, and where
    connection: Connection, topic: str, place: _Audited, case: Case, manifest: Manifest, folder: Path
) -> list[dict[str, Any]]:
    said = folder / "manifest.json"
    said.write_text(manifest.model_dump_json())
    made = ("making the events again", [sys.executable, "-c", _MAKE, str(said), case.reference])
    compared = _Audited(
        f"{place.name}, --compare", place.events, place.at, made, ["--compare", "--scenario", case.reference]
    )
    return [row for each in (place, compared) for row in _measure(connection, topic, each, folder)]


def _ledger(connection: Connection, topic: str, events: int, folder: Path) -> list[dict[str, Any]]:
    """Measure a ledger by position, and an audit against it."""
    env = os.environ | {"STREAMPROOF_STATE_DIR": str(folder / "var")}
    command = [sys.executable, "-m", "streamproof", "ledger", topic, "--name", RUN_ID, "--json", *_cluster(connection)]
    taken = _figures("ledger", events, measured(command, env))
    files = honest.into_parquet(honest.positions_of(connection, topic), folder / "positions")
    positions = "kafka_partition, kafka_offset"
    place = _Audited(
        "Parquet, by position", events, str(files), _group(f"'{files}/*.parquet'", positions), run_id=f"ledger/{RUN_ID}"
    )
    return [
        within("pipeline, ledger by position: peak memory", taken["peak_rss_mb"], LIMIT_MB, "MB", [taken]),
        *_measure(connection, topic, place, folder),
    ]


def _measure(connection: Connection, topic: str, place: _Audited, folder: Path) -> list[dict[str, Any]]:
    state = folder / "var"
    env = os.environ | {"STREAMPROOF_STATE_DIR": str(state)}
    command = [
        *(sys.executable, "-m", "streamproof", "audit", topic, "--run-id", place.run_id, "--at", place.at, "--json"),
        *place.flags,
        *_cluster(connection),
    ]
    named, plain = place.reference
    theirs = _figures(named, place.events, measured(plain, env))
    document = measured(command, env)
    if document["verdict"] != "PASSED" or document["arrived"] != place.events:
        raise RuntimeError(f"{place.name}: {document['verdict']}: {document['reason']}")
    ours = _figures(place.name, place.events, document)
    shutil.rmtree(state, ignore_errors=True)
    path = f"pipeline, {place.name}, {place.events:,} rows"
    speed = {
        "path": path,
        "ours": _shown(ours),
        "ours_per_s": ours["rows_per_s"],
        "reference": named,
        "limit": _shown(theirs),
        "reference_per_s": theirs["rows_per_s"],
        "ratio": ours["rows_per_s"] / theirs["rows_per_s"],
        "goal": None,
        "details": [ours, theirs],
    }
    sys.stdout.write(f"  {path}: {_shown(ours)}; {named}: {_shown(theirs)}\n")
    sys.stdout.flush()
    return [speed, within(f"{path}: peak memory", ours["peak_rss_mb"], LIMIT_MB, "MB", [ours])]


def _figures(name: str, rows: int, document: dict[str, Any]) -> dict[str, Any]:
    """Return what a process took, from its start to its end."""
    return {
        "name": name,
        "rows": rows,
        "seconds": round(document["whole_s"], 2),
        "rows_per_s": round(rows / document["whole_s"]),
        "cpu_us_per_row": round(document["cpu_s"] / rows * 1e6, 2),
        "peak_rss_mb": document["peak_rss_mb"],
    }


def _shown(figures: dict[str, Any]) -> str:
    return (
        f"{figures['seconds']:.1f} s, {figures['rows_per_s']:,} /s, {figures['cpu_us_per_row']:.2f} us, "
        f"{figures['peak_rss_mb']:,} MB"
    )


def _copy(address: str) -> tuple[str, list[str]]:
    statement = f"COPY (SELECT {IDENTITY_FIELD} FROM {honest.TABLE}) TO STDOUT"
    return "COPY of the ids to nowhere", [sys.executable, "-c", _COPY, address, statement]


def _group(relation: str, by: str = IDENTITY_FIELD) -> tuple[str, list[str]]:
    return "DuckDB's GROUP BY of the ids", [sys.executable, "-c", _GROUP, relation, by]


def _produced(connection: Connection, case: Case, topic: str, events: int) -> Manifest:
    sys.stdout.write(f"  producing {events:,} of {case.name}\n")
    sys.stdout.flush()
    return produce_shard(connection, case.request(topic, events), stop=threading.Event())


def _postgres(folder: Path) -> str:
    record = read_record(folder / "var")
    address = record.address("postgres") if record is not None else None
    if address is None:
        raise RuntimeError("the stack has no PostgreSQL")
    return address


def _cluster(connection: Connection) -> list[str]:
    return ["--bootstrap-servers", connection.kafka.bootstrap_servers, "--registry-url", connection.registry.url]
