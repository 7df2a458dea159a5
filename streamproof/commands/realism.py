"""``streamproof realism``: hold data against docs/realism.md, rule by rule and distribution by distribution."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Annotated, Any

import typer

from cluster.errors import EXIT_OK, Misconfigured, StoreFailed, VerdictFailed
from schemas.manifest import Manifest
from streamproof.console import Output, print_error
from streamproof.flags.common import JsonFlag, WaitFlag, WarehouseFlag

SCENARIO = "customer_events"
_PARQUET = (".parquet", ".pq")


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(realism)


def realism(  # noqa: PLR0917 - typer reads them by name
    what: Annotated[
        str | None,
        typer.Argument(
            metavar="[RUN|FILE]", help="A run of the topic, the latest by default; or a Parquet or DuckDB file."
        ),
    ] = None,
    topic: Annotated[str, typer.Option("--topic", help="Topic that the run was sent to.")] = SCENARIO,
    warehouse: WarehouseFlag = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of the events in a file; a run's is known.")] = 1,
    wait: WaitFlag = 10.0,
    as_json: JsonFlag = False,
) -> int:
    """Check every rule of docs/realism.md over customer_events, and fit the distributions that it declares.

    The result of a run is kept in the warehouse, and `streamproof report` shows it. Rules that are broken end with
    exit 65; a figure that is off does not.
    """
    from streamproof.views.realism import show_realism, shown_rules

    output = Output(as_json)
    with shown_rules(as_json) as progress:
        if what is not None and _is_file(what):
            document = _of_file(Path(what), seed, progress)
        else:
            document = _of_run(topic, what, warehouse, wait, progress)
    show_realism(output, document)
    broken = [rule["rule"] for rule in document["rules"] if rule["violations"]]
    if not broken:
        output.document(document)
        return EXIT_OK
    error = VerdictFailed(
        f"rules are broken: {', '.join(broken)}",
        where=document.get("run_id") or document.get("file", ""),
        hint="docs/realism.md states each rule; faults that were injected, and events that are missing, break some",
    )
    output.document(document | {"error": error.document()})
    print_error(error, as_json=False)
    return error.exit_code


def _is_file(what: str) -> bool:
    return Path(what).suffix in (*_PARQUET, ".duckdb", ".db") or Path(what).is_file()


def _of_run(topic: str, run_id: str | None, warehouse: Path | None, wait: float, progress: Any) -> dict[str, Any]:
    from cluster.local import warehouse_path
    from consumer.report.examination import examine_run
    from producer.scenarios.customer_events.realism import examine

    def examined(connection: Any, source: str, manifests: list[Manifest]) -> dict[str, Any]:
        first = manifests[0]
        if first.scenario != SCENARIO:
            raise Misconfigured(
                f"the run is of the scenario {first.scenario}; rules are declared for {SCENARIO}", where=first.run_id
            )
        start_ms = first.settings.get("event_time_start_ms")
        began = dt.datetime.fromtimestamp(start_ms / 1000, dt.UTC) if isinstance(start_ms, int) else None
        sent_at = max(dt.datetime.fromisoformat(manifest.ended_at or manifest.started_at) for manifest in manifests)
        found = examine(connection, source, seed=first.seed, sent_at=sent_at, began=began, progress=progress)
        if not found.events:
            raise Misconfigured(
                "no event of the run is in the warehouse", where=first.run_id, hint=f"Run `streamproof load {topic}`"
            )
        return found.document()

    return examine_run(warehouse or warehouse_path(topic), topic, run_id, examined, wait_s=wait)


def _of_file(path: Path, seed: int, progress: Any) -> dict[str, Any]:
    import duckdb

    from producer.scenarios.customer_events.realism import examine

    if not path.is_file():
        raise Misconfigured(f"there is no file {path}", hint="Name a Parquet or DuckDB file, or a run with --topic")
    quoted = str(path).replace("'", "''")
    try:
        with duckdb.connect() as connection:
            source = f"read_parquet('{quoted}')"
            if path.suffix not in _PARQUET:
                connection.execute(f"ATTACH '{quoted}' AS given (READ_ONLY)")
                source = "given.events"
            runs = connection.execute(
                f"SELECT DISTINCT left(event_id, 13) FROM {source} LIMIT 9"  # noqa: S608 - quoted above
            ).fetchall()
            if len(runs) != 1:
                raise Misconfigured(
                    f"the file has {'no events' if not runs else 'events of several runs'}",
                    where=str(path),
                    hint="Rules hold within a run: give a file with the events of one, or a run with --topic",
                )
            found = examine(connection, source, seed=seed, sent_at=dt.datetime.now(dt.UTC), progress=progress)
    except duckdb.Error as error:
        missing = isinstance(error, duckdb.BinderException | duckdb.CatalogException)
        message = str(error).splitlines()[0]
        if missing:
            raise Misconfigured(f"these are not events of {SCENARIO}: {message}", where=str(path)) from error
        raise StoreFailed(f"the file cannot be read: {message}", where=str(path)) from error
    return {"file": str(path)} | found.document()
