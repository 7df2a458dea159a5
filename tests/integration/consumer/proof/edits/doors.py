"""The commands that an edited file must not get past, each by itself, and what they say.

At depth every kind of edit is tried at every door that it has, at five places each. Otherwise one kind is tried for
each column of the events and for each other table, and every so manieth of all, at the first door and one place:

* ``audit``, ``publish``, ``load``: that command
* ``verify``: the file alone, without a broker
* ``broker``: the same beside Kafka and the registry
* ``mended``: an audit, which writes what is true over the edit, and then ``verify``; here both must pass
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from cluster.errors import StreamproofError
from consumer.load.load import load
from consumer.proof.audit import audit
from consumer.publish.publish import publish
from consumer.verify import Verification, verify_warehouse
from tests.integration.consumer.proof.edits.conftest import Delivered
from tests.integration.consumer.proof.edits.kinds import Edit
from tests.kit.depth import DEEP, EDIT_PLACES, EDIT_STRIDE

# A column of the events, or another table, that a kind changes.
_CHANGED = re.compile(r"UPDATE (events SET \w+)|(?:UPDATE|INSERT INTO|DELETE FROM|ALTER TABLE|DROP TABLE) (\w+)")


@dataclass(frozen=True)
class Answer:
    """What a command answered: its verdict, FAILED for an error, and in words all that it found to be wrong."""

    verdict: str
    text: str


def _audit(file: Delivered, run_id: str) -> Answer:
    said = audit(file.connection, file.warehouse, file.topic, run_id)
    words = [said.reason, *said.notes, *said.doubts, *said.contradictions, *said.not_compared, *map(str, said.faults)]
    return Answer(said.verdict, "; ".join([*words, *(str(each) for rows in said.located.values() for each in rows)]))


def _publish(file: Delivered, run_id: str) -> Answer:
    publish(file.warehouse, file.topic, run_id, file.publications)
    return Answer("PASSED", "it was published")


def _load(file: Delivered, _: str) -> Answer:
    load(file.connection, file.topic, file.warehouse, stop=threading.Event())
    return Answer("PASSED", "it was loaded")


def _verify(file: Delivered, _: str) -> Answer:
    return _answer(verify_warehouse(file.warehouse))


def _broker(file: Delivered, _: str) -> Answer:
    return _answer(verify_warehouse(file.warehouse, file.connection, sample=30))


def _answer(found: Verification) -> Answer:
    wrong = [proof for proof in found.proofs if proof.verdict != "PASSED"]
    return Answer(
        found.verdict, "; ".join(f"{proof.name}: {said}" for proof in wrong for said in (*proof.faults, *proof.unknown))
    )


DOORS: dict[str, Callable[[Delivered, str], Answer]] = {
    "audit": _audit,
    "publish": _publish,
    "load": _load,
    "verify": _verify,
    "broker": _broker,
}


def knock(door: str, file: Delivered, run_id: str) -> Answer:
    """Return what a command says of a file."""
    try:
        return DOORS[door](file, run_id)
    except StreamproofError as error:
        return Answer("FAILED", f"{type(error).__name__}: {error}")


def assert_found(file: Delivered, edit: Edit, door: str, where: Mapping[str, Any]) -> None:
    """Edit a file at a place, and assert that a door does not let it pass, and names the place."""
    file.sql(edit.change.format(**where))
    if door == "mended":
        said = knock("audit", file, edit.run)
        assert said.verdict == "PASSED", said
        said = knock("verify", file, edit.run)
        assert said.verdict == "PASSED", said
        return
    said = knock(door, file, edit.run)
    assert said.verdict in {"FAILED", "UNKNOWN"}, f"{edit.name} at {where['event']}: {said}"
    assert edit.says.format(**where) in said.text, f"{edit.says.format(**where)} is not named: {said}"


def sampled(edits: Iterable[Edit]) -> Iterator[Edit]:
    """Yield the first kind for each column of the events and for each other table, and some of the others."""
    seen: set[tuple[str, str]] = set()
    for number, edit in enumerate(edits):
        more = set(_CHANGED.findall(edit.change)) - seen
        seen |= more
        if more or number % EDIT_STRIDE == 0:
            yield edit


def tries(edits: list[Edit]) -> list[Any]:
    """Return an edit, a door and the number of a place for each try."""
    return [
        pytest.param(edit, door, place, id=f"{edit.name}-{door}-{place}")
        for edit in (edits if DEEP else sampled(edits))
        for door in (edit.doors if DEEP else edit.doors[:1])
        for place in range(EDIT_PLACES)
    ]
