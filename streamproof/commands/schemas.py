"""``streamproof schemas diff|gate``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cluster.errors import Misconfigured, SchemaIncompatible
from cluster.text.names import DEFAULT_NAME, check_topic_name
from streamproof.console import Output, warn
from streamproof.flags.columns import AskedWarehouseFlag, ColumnConflictsFlag, column_conflicts, table_at_hand
from streamproof.flags.common import ExitCodeFlag, JsonFlag
from streamproof.flags.connection import RegistryAddress, takes_addresses
from streamproof.views.schemas import gate_lines

if TYPE_CHECKING:  # the commands import them when they run: starting up stays light
    from schemas.registry.gate import GateResult

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
    warehouse: AskedWarehouseFlag = None,
    conflicts: ColumnConflictsFlag = None,
    exit_code: ExitCodeFlag = False,
    addresses: RegistryAddress,
    as_json: JsonFlag = False,
) -> int:
    """Show how the contract differs from what the registry holds, and what blocks it; change nothing."""
    from schemas.registry.contract import load_contract
    from schemas.registry.gate import Registry, inspect_subject

    output = Output(as_json)
    known = load_contract(contract)
    subject = _subject(contract, topic, known.name)
    level, format_, chosen = _level(compatibility), _format(written), column_conflicts(conflicts)
    settings = addresses.connect().registry
    table = table_at_hand(warehouse, topic or known.name)
    with Registry(settings) as registry:
        seen = inspect_subject(
            registry,
            known,
            subject,
            up_to=up_to,
            level=level,
            written=format_,
            table=table,
            column_conflicts=chosen,
        )
    output.show_all(gate_lines(seen))
    return output.ended(_document(seen), _difference(seen) if exit_code else None)


@takes_addresses
def run_gate(
    contract: ContractArgument,
    *,
    topic: TopicFlag = None,
    up_to: UpToFlag = None,
    compatibility: LevelFlag = None,
    written: FormatFlag = None,
    warehouse: AskedWarehouseFlag = None,
    conflicts: ColumnConflictsFlag = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check everything, register nothing.")] = False,
    addresses: RegistryAddress,
    as_json: JsonFlag = False,
) -> None:
    """Register the contract's versions in order, or refuse (exit 65) and register nothing."""
    from schemas.registry.contract import load_contract
    from schemas.registry.gate import Registry, gate

    output = Output(as_json)
    known = load_contract(contract)
    subject = _subject(contract, topic, known.name)
    level, format_, chosen = _level(compatibility), _format(written), column_conflicts(conflicts)
    settings = addresses.connect().registry
    table = table_at_hand(warehouse, topic or known.name)
    with Registry(settings) as registry:
        result = gate(
            registry,
            known,
            subject,
            up_to=up_to,
            level=level,
            dry_run=dry_run,
            written=format_,
            table=table,
            column_conflicts=chosen,
        )
    output.show_all(gate_lines(result))
    output.document(_document(result))


def _format(name: str | None) -> str:
    """Return a format whose values name schemas of a registry."""
    from schemas.formats import AVRO_NAME, FRAMED

    wanted = name or AVRO_NAME
    if wanted not in FRAMED:
        raise Misconfigured(f"{wanted} is not a format that names schemas", hint=f"Use one of {', '.join(FRAMED)}")
    return wanted


def _level(text: str | None) -> str | None:
    return text.upper() if text is not None else None


def _subject(contract: str, topic: str | None, name: str) -> str:
    """Return the subject of a topic; a name that no topic can have would leave a subject that nothing finds."""
    from schemas.registry.contract import subject_for

    chosen = topic or name
    check_topic_name(chosen)
    if topic is None and contract.endswith(".avsc"):
        warn(f"No --topic: the subject is {subject_for(chosen)}, of topic {chosen}, after the file's name")
    return subject_for(chosen)


def _difference(seen: GateResult) -> SchemaIncompatible | None:
    """Return what `--exit-code` ends with: the registry does not hold the contract as it is in the files."""
    refused = bool(seen.reasons or seen.level_conflict)
    changed = [f"v{version.version}" for version in seen.versions if version.used is None or version.changes]
    if not refused and not changed:
        return None
    said = "the contract does not fit" if refused else f"the registry does not hold it as it is: {', '.join(changed)}"
    return SchemaIncompatible(said, where=f"subject {seen.subject}")


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
