"""``streamproof schemas diff|gate``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from cluster.errors import Misconfigured
from cluster.text.names import DEFAULT_NAME, check_topic_name
from streamproof.console import Output
from streamproof.flags.common import JsonFlag
from streamproof.flags.connection import RegistryAddress, takes_addresses

if TYPE_CHECKING:  # the commands import them when they run: starting up stays light
    from schemas.registry.diff import Change
    from schemas.registry.gate import GateResult, VersionResult

ContractArgument = Annotated[
    str, typer.Argument(help=f"Folder under schemas/, such as {DEFAULT_NAME}, or an .avsc file.")
]
TopicFlag = Annotated[
    str | None, typer.Option("--topic", help="Topic whose subject is meant; the contract's name unless given.")
]
UpToFlag = Annotated[
    int | None, typer.Option("--up-to", min=1, help="Newest version; the contract's active one unless given.")
]
LevelFlag = Annotated[
    str | None,
    typer.Option("--compatibility", metavar="LEVEL", help="Level to use instead of the contract's, such as FULL."),
]
FormatFlag = Annotated[
    str | None,
    typer.Option(
        "--format", metavar="avro|json", help="How the values that name the schemas are written; avro unless given."
    ),
]
_COLOUR = {"added": "green", "removed": "red", "type_changed": "red", "default_changed": "yellow"}


def register(app: typer.Typer) -> None:
    """Add ``schemas``."""
    schemas = typer.Typer(help="Compare contracts with the registry, and register what fits.", no_args_is_help=True)
    app.add_typer(schemas, name="schemas")
    schemas.command("diff")(diff)
    schemas.command("gate")(run_gate)


@takes_addresses
def diff(
    contract: ContractArgument,
    *,
    topic: TopicFlag = None,
    up_to: UpToFlag = None,
    compatibility: LevelFlag = None,
    written: FormatFlag = None,
    addresses: RegistryAddress,
    as_json: JsonFlag = False,
) -> None:
    """Show how the contract differs from what the registry holds, and what speaks against it; change nothing."""
    from schemas.registry.contract import load_contract
    from schemas.registry.gate import Registry, inspect_subject

    output = Output(as_json)
    known = load_contract(contract)
    subject = _subject(topic or known.name)
    level, format_ = _level(compatibility), _format(written)
    settings = addresses.connect().registry
    with Registry(settings) as registry:
        seen = inspect_subject(registry, known, subject, up_to=up_to, level=level, written=format_)
    _show(output, seen)
    output.document(_document(seen))


@takes_addresses
def run_gate(
    contract: ContractArgument,
    *,
    topic: TopicFlag = None,
    up_to: UpToFlag = None,
    compatibility: LevelFlag = None,
    written: FormatFlag = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check everything, register nothing.")] = False,
    addresses: RegistryAddress,
    as_json: JsonFlag = False,
) -> None:
    """Register the contract's versions in order, or refuse (exit 65) and register nothing."""
    from schemas.registry.contract import load_contract
    from schemas.registry.gate import Registry, gate

    output = Output(as_json)
    known = load_contract(contract)
    subject = _subject(topic or known.name)
    level, format_ = _level(compatibility), _format(written)
    settings = addresses.connect().registry
    with Registry(settings) as registry:
        result = gate(
            registry,
            known,
            subject,
            up_to=up_to,
            level=level,
            dry_run=dry_run,
            written=format_,
        )
    _show(output, result)
    output.document(_document(result))


def _subject(topic: str) -> str:
    """Return the subject of a topic; a name that no topic can have would leave a subject that nothing finds."""
    from schemas.registry.contract import subject_for

    check_topic_name(topic)
    return subject_for(topic)


def _format(name: str | None) -> str:
    """Return a format whose values name schemas of a registry."""
    from schemas.formats import AVRO_NAME, FRAMED

    wanted = name or AVRO_NAME
    if wanted not in FRAMED:
        raise Misconfigured(f"{wanted} is not a format that names schemas", hint=f"Use one of {', '.join(FRAMED)}")
    return wanted


def _level(text: str | None) -> str | None:
    return text.upper() if text is not None else None


def _show(output: Output, result: GateResult) -> None:
    held = "" if result.level_held == result.level else f" (the subject has {result.level_held or 'none of its own'})"
    output.show(f"subject [bold]{result.subject}[/], compatibility {result.level}{held}")
    for version in result.versions:
        output.show(_headline(version))
        _show_changes(output, version.changes)
        for reason in version.reasons:
            output.show(Text(f"  refused: {reason}", style="red"))
        for remark in version.remarks:
            output.show(Text(f"  note: {remark}", style="yellow"))
    for stranger in result.unknown:
        used = stranger.used
        output.show(
            f"registry version {used.version} (id {used.id}) is in no local file; from v{result.versions[-1].version}:"
        )
        _show_changes(output, stranger.changes)
        for reason in stranger.reasons:
            output.show(Text(f"  refused: {reason}", style="red"))
    if result.level_conflict:
        output.show(Text(f"refused: {result.level_conflict}", style="red"))


def _headline(version: VersionResult) -> str:
    place = f"version {version.used.version}, id {version.used.id}" if version.used is not None else ""
    if version.status == "missing":
        return f"v{version.version} is not registered; changes from {version.compared_with or 'nothing'}:"
    verb = "registered now" if version.status == "registered" else "is registered"
    return f"v{version.version} {verb} ({place})"


def _show_changes(output: Output, changes: Sequence[Change]) -> None:
    if not changes:
        return
    table = Table("field", "change", "old", "new", box=None, header_style="dim", pad_edge=True)
    for change in changes:
        table.add_row(
            Text(change.path),
            Text(change.kind.replace("_", " "), style=_COLOUR.get(change.kind, "dim")),
            Text(change.old or "-"),
            Text(change.new or "-"),
        )
    output.show(table)


def _document(result: GateResult) -> dict[str, Any]:
    return {
        "contract": result.contract,
        "subject": result.subject,
        "compatibility": {"wanted": result.level, "held": result.level_held, "conflict": result.level_conflict},
        "compatible": not result.reasons and not result.level_conflict,
        "versions": [
            {
                "version": version.version,
                "status": version.status,
                "registry_version": version.used.version if version.used is not None else None,
                "id": version.used.id if version.used is not None else None,
                "compared_with": version.compared_with,
                "changes": [change.document() for change in version.changes],
                "reasons": list(version.reasons),
                "remarks": list(version.remarks),
            }
            for version in result.versions
        ],
        "unknown_versions": [
            {
                "registry_version": stranger.used.version,
                "id": stranger.used.id,
                "changes": [change.document() for change in stranger.changes],
                "reasons": list(stranger.reasons),
            }
            for stranger in result.unknown
        ],
    }
