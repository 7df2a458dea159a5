"""Proving a warehouse or a publication from itself, and against the broker and registry where they can be asked.

Open :func:`verify_warehouse` first: it is the protocol. ``contents.py`` proves the rows; ``manifests.py``,
``verdicts.py``, ``checks.py`` and ``publications.py`` what is said of the runs; ``published.py`` a publication, and
``published_rows.py`` the same beside its warehouse; ``outside.py`` what Kafka and the registry say.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb

from cluster.connection import Connection
from cluster.errors import Misconfigured, StoreFailed
from consumer.sinks import DEFAULT_WAIT_S, Place, place_of
from consumer.sinks.duckdb.catalogue import impostors, read_catalogue, refuse_impostors
from consumer.sinks.duckdb.migrations import NEWEST, format_of
from consumer.sinks.duckdb.warehouse import Warehouse
from consumer.verify.checks import prove_checks
from consumer.verify.contents import (
    prove_bytes,
    prove_held,
    prove_ledger,
    prove_names,
    prove_origin,
    prove_places,
    prove_schemas,
)
from consumer.verify.manifests import prove_manifests, read_manifests
from consumer.verify.outside import DEFAULT_SAMPLE, Outside, look_outside, prove_registry, prove_sample, prove_topic
from consumer.verify.proof import NOTHING, Proof, Verification
from consumer.verify.publications import prove_publications
from consumer.verify.published import prove_files, prove_snapshot_names
from consumer.verify.published_marts import applicable, prove_marts
from consumer.verify.published_rows import prove_rows
from consumer.verify.sizes import prove_sizes
from consumer.verify.snapshot import Snapshot
from consumer.verify.verdicts import prove_verdicts
from schemas.registry.gate import Registry

__all__ = ["DEFAULT_SAMPLE", "Proof", "Verification", "verify_publication", "verify_warehouse"]

ALONE = "itself alone: no broker and no registry was asked"


def verify_warehouse(
    place: Path | Place,
    connection: Connection | None = None,
    *,
    topic: str | None = None,
    sample: int = DEFAULT_SAMPLE,
    seed: int = 0,
    wait_s: float = DEFAULT_WAIT_S,
) -> Verification:
    """Prove a warehouse from itself and, with a connection, against Kafka and the registry. Nothing is written.

    1. names: nothing in the file can answer in place of its data; if something can, nothing else is asked
    2. rows: offsets, ledger, places, schemas, columns against bytes, quarantined bytes
    3. runs: manifests, verdicts, checks and publications are what is found again now
    4. outside: the topic's ids and ends, the control topic, the registry's texts
    5. sample: records are read again from Kafka and compared with their rows, leaf by leaf

    :param topic: which one, where the place holds several.
    :param connection: of the broker and registry to ask; one that is missing is left out of 4 and 5, ``None`` both.
    :param sample: about how many records of each table are read again.
    :param seed: draws which.
    :raises Misconfigured: there is no such file, or it is of another format or no warehouse.
    :raises DependencyDown: broker or registry do not answer.
    """
    began = time.monotonic()
    with place_of(place).to_look(topic=topic, wait_s=wait_s) as warehouse:
        shown = warehouse.shown
        # 1. names
        proofs = [_made("names", lambda: prove_names(warehouse))]
        against = ALONE
        if not impostors(read_catalogue(warehouse.connection)):
            named = _topic_of(warehouse)
            asked = connection or Connection.of()
            outside = look_outside(asked, named) if asked.known_kafka is not None else None
            # 2. rows
            proofs += list(_rows(warehouse))
            # 3. runs
            proofs += list(
                _runs(warehouse, lambda: prove_manifests(warehouse, None if outside is None else outside.control))
            )
            # 4. outside
            if outside is not None:
                proofs.append(_made("topic", lambda: prove_topic(warehouse, outside)))
            if asked.known_registry is not None:
                with Registry(asked.registry) as registry:
                    proofs.append(_made("registry", lambda: prove_registry(warehouse, registry)))
            # 5. sample
            if outside is not None:
                proofs.append(_made("sample", lambda: prove_sample(warehouse, outside, sample=sample, seed=seed)))
            against = _against(asked, outside)
    return Verification(shown, "warehouse", against, proofs, round(time.monotonic() - began, 3))


def verify_publication(
    folder: Path, place: Path | Place | None = None, *, topic: str | None = None, wait_s: float = DEFAULT_WAIT_S
) -> Verification:
    """Prove a publication from itself and, beside its warehouse, row by row. Nothing is written.

    1. names: the snapshot holds its view, its marts and its run ledger, and nothing else
    2. files: each published run has its file, whole, with as many events as its audit counted
    3. marts: each is made again and compared
    4. rows: the files hold the very events of the warehouse

    :param folder: of a topic, whose current snapshot is meant, or of a snapshot.
    :param place: what it was published from; ``None`` leaves out 4.
    :param topic: of the place, where it holds several.
    :raises Misconfigured: the folder holds no snapshot, or the file is not a warehouse.
    """
    began = time.monotonic()
    against = "itself alone"
    with Snapshot(folder) as snapshot:
        marts = applicable(snapshot)
        # 1. names
        names = _made("names", lambda: prove_snapshot_names(snapshot, marts))
        proofs = [names]
        if names.verdict == "PASSED":
            # 2. files  3. marts
            proofs.append(_made("files", lambda: prove_files(snapshot)))
            proofs.append(_made("marts", lambda: prove_marts(snapshot, marts)))
        if names.verdict == "PASSED" and place is not None:
            with place_of(place).to_look(topic=topic, wait_s=wait_s) as warehouse:
                against = f"the warehouse {warehouse.shown}"
                refuse_impostors(warehouse.connection, warehouse.path)
                # 4. rows
                proofs.append(_made("rows", lambda: prove_rows(snapshot, warehouse)))
    return Verification(str(folder), "publication", against, proofs, round(time.monotonic() - began, 3))


def _rows(warehouse: Warehouse) -> Iterator[Proof]:
    yield _made("origin", lambda: prove_origin(warehouse))
    yield _made("ledger", lambda: prove_ledger(warehouse))
    yield _made("places", lambda: prove_places(warehouse))
    yield _made("schemas", lambda: prove_schemas(warehouse, read_manifests(warehouse).values()))
    yield _made("columns", lambda: prove_bytes(warehouse))
    yield _made("sizes", lambda: prove_sizes(warehouse))
    yield _made("quarantine", lambda: prove_held(warehouse))


def _runs(warehouse: Warehouse, manifests: Callable[[], Proof]) -> Iterator[Proof]:
    yield _made("manifests", manifests)
    yield _made("verdicts", lambda: prove_verdicts(warehouse))
    yield _made("checks", lambda: prove_checks(warehouse))
    yield _made("publications", lambda: prove_publications(warehouse))


def _against(asked: Connection, outside: Outside | None) -> str:
    """Say what of the outside was asked, and what was not."""
    kafka = "" if outside is None else f"Kafka at {asked.kafka.bootstrap_servers} (cluster {outside.info.cluster_id})"
    registry = "" if asked.known_registry is None else f"the registry at {asked.registry.shown}"
    if kafka and registry:
        return f"{kafka} and {registry}"
    if kafka or registry:
        return f"{kafka or registry}: {'no registry' if kafka else 'no broker'} was asked"
    return ALONE


def _made(name: str, prove: Callable[[], Proof]) -> Proof:
    """Return a proof, or why it could not be made: what it reads is missing, or not as it should be.

    A file that anybody may have changed can hold anything: whatever is raised about it is an answer, never an end.
    """
    try:
        return prove()
    except StoreFailed as error:
        why = error.message
    except duckdb.Error as error:
        why = str(error).splitlines()[0]
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        why = (
            f"what is read is not as it should be: {type(error).__name__} in {Path(frame.filename).name}, "
            f"line {frame.lineno}"
        )
    return Proof.of(name, "could not be looked at", NOTHING, unknown=[why])


def _topic_of(warehouse: Warehouse) -> str:
    """Return the topic of a warehouse of today's format."""
    meta = warehouse.meta()
    found = format_of(meta, warehouse.path)
    if found != NEWEST:
        raise Misconfigured(
            f"the warehouse has format {found}, and is proved in format {NEWEST}",
            where=warehouse.shown,
            hint="Any command that writes it, such as `streamproof audit`, brings it to today's format",
        )
    return meta.get("topic", "")
