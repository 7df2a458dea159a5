"""Flags of ``audit`` about somebody else's pipeline: where it stored, what tells its rows apart, what to compare."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cluster.errors import Misconfigured

if TYPE_CHECKING:
    from consumer.pipeline.asked import Asked

# Their own frame in --help: without --at none of them means anything.
_PANEL = "What another pipeline stored"

AtFlag = Annotated[
    str | None,
    typer.Option(
        "--at",
        metavar="WHERE",
        help="What another pipeline stored: postgresql://host/db#table, file.duckdb#table, a folder "
        "or glob of .parquet, .csv or .jsonl files, lake:folder, delta:folder, or kafka:topic.",
        rich_help_panel=_PANEL,
    ),
]
QueryFlag = Annotated[
    str | None,
    typer.Option(
        "--query",
        metavar="SQL",
        help="With --at a database: a SELECT whose rows are looked at.",
        rich_help_panel=_PANEL,
    ),
]
IdFlag = Annotated[
    str | None,
    typer.Option(
        "--id", metavar="COLUMN", help="With --at: where the ids are; event_id by default.", rich_help_panel=_PANEL
    ),
]
PositionFlag = Annotated[
    str | None,
    typer.Option(
        "--position",
        metavar="PARTITION,OFFSET",
        help="With --at and a ledger: where partition and offset are.",
        rich_help_panel=_PANEL,
    ),
]
ColumnFlag = Annotated[
    list[str] | None,
    typer.Option(
        "--column",
        metavar="STORED=FIELD[:TYPE]",
        help="With --at: compare this stored column with this field of an event, and say the type that it should have "
        "there. Repeat it for each.",
        rich_help_panel=_PANEL,
    ),
]
ColumnsFlag = Annotated[
    Path | None,
    typer.Option(
        "--columns", metavar="FILE", help="With --at: id, order and columns from a YAML file.", rich_help_panel=_PANEL
    ),
]
CompareFlag = Annotated[
    bool,
    typer.Option(
        "--compare",
        help="With --at: make every event again, and compare its values with the stored ones.",
        rich_help_panel=_PANEL,
    ),
]
ExpectFlag = Annotated[
    str | None,
    typer.Option(
        "--expect",
        metavar="SQL",
        help="With --at: which events should arrive, as a condition over their fields.",
        rich_help_panel=_PANEL,
    ),
]
ExpectationFlag = Annotated[
    list[Path] | None,
    typer.Option(
        "--expectation",
        metavar="FILE",
        help="With --at: a .sql file over `truth` and `sink` that returns the rows that disagree. Repeat it for each.",
        rich_help_panel=_PANEL,
    ),
]
AlsoFlag = Annotated[
    list[str] | None,
    typer.Option(
        "--also",
        metavar="NAME=TOPIC[@RUN]",
        help="With --expectation: what the same run, or RUN, sent to another topic, as a relation of this name.",
        rich_help_panel=_PANEL,
    ),
]
AllRunsFlag = Annotated[
    bool,
    typer.Option(
        "--all-runs",
        help="With --at and --expectation: `truth` has the events of all runs of the topic, as running totals have.",
        rich_help_panel=_PANEL,
    ),
]
OrderFlag = Annotated[
    str | None,
    typer.Option(
        "--order",
        metavar="COLUMN",
        help="With --at: a column that tells in which order rows were stored.",
        rich_help_panel=_PANEL,
    ),
]
ScenarioFlag = Annotated[
    str | None,
    typer.Option(
        "--scenario",
        metavar="NAME|FILE",
        help="With --at: the scenario that made the run, if it is not found by its name.",
        rich_help_panel=_PANEL,
    ),
]


@dataclass(frozen=True, slots=True)
class PipelineFlags:
    """What the flags say, read together."""

    id_column: str | None
    position: str | None
    columns: Sequence[str]
    columns_file: Path | None
    compare: bool
    expect: str | None
    expectations: Sequence[Path]
    order: str | None
    all_runs: bool = False
    also: Sequence[str] = ()

    def given(self) -> dict[str, object]:
        """Return what each flag says, by its name."""
        values = (self.id_column, self.position, self.columns, self.columns_file, self.compare, self.expect)
        names = ("--id", "--position", "--column", "--columns", "--compare", "--expect", "--expectation", "--order")
        given = dict(zip(names, (*values, self.expectations, self.order), strict=True))
        return {**given, "--all-runs": self.all_runs, "--also": self.also}

    def asked(self) -> Asked:
        """Return what is asked of the proof. Flags win over the file.

        :raises Misconfigured: a flag is not of its form.
        """
        from consumer.pipeline.asked import Asked, also_of, columns_file, columns_of

        file = Asked() if self.columns_file is None else columns_file(self.columns_file)
        flags = columns_of(self.columns)
        given = {each.stored for each in flags}
        return replace(
            file,
            id_column=self.id_column or file.id_column,
            order=self.order or file.order,
            columns=(*flags, *(each for each in file.columns if each.stored not in given)),
            position=None if self.position is None else _pair(self.position),
            compare=self.compare or bool(flags or file.columns),
            expect=self.expect,
            expectations=tuple(self.expectations),
            all_runs=self.all_runs,
            also=also_of(self.also),
        )


def _pair(text: str) -> tuple[str, str]:
    partition, comma, offset = (part.strip() for part in text.partition(","))
    if not comma or not partition or not offset:
        raise Misconfigured(f"--position {text!r} is not of the form PARTITION,OFFSET", hint="Name two columns")
    return partition, offset


def refuse_without_at(given: dict[str, object]) -> None:
    """Refuse flags that speak of a place where none is named.

    :raises Misconfigured: one of them is given.
    """
    named = [flag for flag, value in given.items() if value]
    if named:
        raise Misconfigured(f"{', '.join(named)} needs --at", hint="Say with --at what another pipeline stored")


def refuse_beside_at(given: dict[str, object]) -> None:
    """Refuse flags that speak of our own warehouse where another pipeline's place is named.

    :raises Misconfigured: one of them is given.
    """
    named = [flag for flag, value in given.items() if value]
    if named:
        raise Misconfigured(
            f"{', '.join(named)} speaks of our own warehouse, and --at of what another pipeline stored",
            hint="Give one of the two; our own warehouse is audited without --at",
        )
