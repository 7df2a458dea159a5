"""``streamproof realism``: hold data against what its scenario declares, rule by rule, figure by figure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cluster.errors import EXIT_OK, Misconfigured, StoreFailed, VerdictFailed
from cluster.text.names import DEFAULT_NAME
from schemas.manifest import Manifest
from streamproof.console import Output, print_error
from streamproof.flags.common import JsonFlag, WaitFlag, WarehouseFlag
from streamproof.flags.run import ScenarioPathFlag

if TYPE_CHECKING:
    from producer.scenarios import Examined

Examine = Callable[[Any, str, "Examined"], dict[str, Any]]
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
    topic: Annotated[str, typer.Option("--topic", help="Topic that the run was sent to.")] = DEFAULT_NAME,
    warehouse: WarehouseFlag = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of the events in a file; a run's is known.")] = 1,
    scenario: Annotated[
        str, typer.Option("--scenario", help="Scenario of the events in a file; a run's is known.")
    ] = DEFAULT_NAME,
    scenario_path: ScenarioPathFlag = None,
    wait: WaitFlag = 10.0,
    as_json: JsonFlag = False,
) -> int:
    """Check every rule that the scenario of the events declares, and fit the distributions that it declares.

    docs/realism.md has those of the default scenario. The result of a run is kept in the warehouse, and `streamproof
    report` shows it. Rules that are broken end with exit 65; a figure that is off does not.
    """
    from streamproof.views.realism import show_realism, shown_rules

    output = Output(as_json)
    with shown_rules(as_json) as progress:
        if what is not None and _is_file(what):
            document = _of_file(Path(what), seed, scenario, _rules_of(scenario, scenario_path, progress))
        else:
            examine = partial(_rules_of, folders=scenario_path, progress=progress)
            document = _of_run(topic, what, warehouse, wait, examine)
    show_realism(output, document)
    broken = [rule["rule"] for rule in document["rules"] if rule["violations"]]
    if not broken:
        output.document(document)
        return EXIT_OK
    error = VerdictFailed(
        f"rules are broken: {', '.join(broken)}",
        where=document.get("run_id") or document.get("file", ""),
        hint="Each rule says what must hold; faults that were injected, and events that are missing, break some",
    )
    output.document(document | {"error": error.document()})
    print_error(error, as_json=False)
    return error.exit_code


def _is_file(what: str) -> bool:
    return Path(what).suffix in (*_PARQUET, ".duckdb", ".db") or Path(what).is_file()


def _rules_of(scenario: str, folders: str | None, progress: Any) -> Examine:
    """Return what examines events of a scenario.

    :raises Misconfigured: there is no such scenario here. What is returned raises it where no rule is declared.
    """
    from producer.scenarios import find_scenario
    from producer.scenarios.find import locate, scenario_folders

    found = find_scenario(locate(scenario, scenario_folders(folders)))

    def examine(connection: Any, source: str, run: Examined) -> dict[str, Any]:
        document = found.examine(connection, source, run, progress)
        if document is None:
            raise Misconfigured(
                f"the scenario {found.name} declares no rules",
                hint="`streamproof check` runs the checks of its pack: docs/scenarios.md",
            )
        return document

    return examine


def _of_run(
    topic: str, run_id: str | None, warehouse: str | None, wait: float, rules_of: Callable[[str], Examine]
) -> dict[str, Any]:
    from consumer.report.examination import examine_run
    from consumer.sinks import place_named
    from producer.scenarios import Examined

    def examined(connection: Any, source: str, manifests: list[Manifest]) -> dict[str, Any]:
        first = manifests[0]
        start_ms = first.settings.get("event_time_start_ms")
        began = dt.datetime.fromtimestamp(start_ms / 1000, dt.UTC) if isinstance(start_ms, int) else None
        sent_at = max(dt.datetime.fromisoformat(manifest.ended_at or manifest.started_at) for manifest in manifests)
        found = rules_of(first.scenario)(connection, source, Examined(first.seed, sent_at, began))
        if not found["events"]:
            raise Misconfigured(
                "no event of the run is in the warehouse", where=first.run_id, hint=f"Run `streamproof load {topic}`"
            )
        return found

    return examine_run(place_named(warehouse, topic), topic, run_id, examined, wait_s=wait)


def _of_file(path: Path, seed: int, scenario: str, examine: Examine) -> dict[str, Any]:
    import duckdb

    from consumer.sinks.batch import ID_COLUMN
    from producer.scenarios import Examined
    from schemas.identity import IDENTITY_FIELD

    if not path.is_file():
        raise Misconfigured(f"there is no file {path}", hint="Name a Parquet or DuckDB file, or a run with --topic")
    quoted = str(path).replace("'", "''")
    try:
        with duckdb.connect() as connection:
            source = f"read_parquet('{quoted}')"
            if path.suffix not in _PARQUET:
                connection.execute(f"ATTACH '{quoted}' AS given (READ_ONLY)")
                source = "given.events"
            columns = {name for name, *_ in connection.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()}  # noqa: S608 - quoted above
            event_id = IDENTITY_FIELD if IDENTITY_FIELD in columns else ID_COLUMN
            runs = connection.execute(
                f"SELECT DISTINCT left({event_id}, 13) FROM {source} LIMIT 9"  # noqa: S608 - quoted above
            ).fetchall()
            if len(runs) != 1:
                raise Misconfigured(
                    f"the file has {'no events' if not runs else 'events of several runs'}",
                    where=str(path),
                    hint="Rules hold within a run: give a file with the events of one, or a run with --topic",
                )
            found = examine(connection, source, Examined(seed, dt.datetime.now(dt.UTC)))
    except duckdb.Error as error:
        missing = isinstance(error, duckdb.BinderException | duckdb.CatalogException)
        message = str(error).splitlines()[0]
        if missing:
            raise Misconfigured(f"these are not events of {scenario}: {message}", where=str(path)) from error
        raise StoreFailed(f"the file cannot be read: {message}", where=str(path)) from error
    return {"file": str(path)} | found
