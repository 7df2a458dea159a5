"""The commands that an edited file must not get past, each by itself, and what they say.

At depth every kind of edit is tried at every door that it has, at five places each. Otherwise the first door is tried
at one place, for all kinds or, where ``tries`` is told so, for every second one:

* ``audit``, ``publish``, ``load``: that command
* ``verify``: the file alone, without a broker
* ``broker``: the same beside Kafka and the registry
* ``mended``: an audit, which writes what is true over the edit, and then ``verify``; here both must pass
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from cluster.errors import StreamproofError
from consumer import audit, load, publish
from consumer.verify import Verification, verify_warehouse
from tests.integration.truth.edits.conftest import Delivered
from tests.integration.truth.edits.kinds import Edit
from tests.integration.truth.edits.places import TRIES
from tests.kit.depth import DEEP


@dataclass(frozen=True)
class Answer:
    """What a command answered: its verdict, FAILED for an error, and everything that it said."""

    verdict: str
    text: str


def _audit(file: Delivered, run_id: str) -> Answer:
    said = audit(file.connection, file.warehouse, file.topic, run_id)
    return Answer(said.verdict, json.dumps(said.document()))


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
    return Answer(found.verdict, json.dumps(found.document()))


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


def tries(edits: list[Edit], *, every: int = 1) -> list[Any]:
    """Return an edit, a door and the number of a place for each try.

    :param every: which of the kinds are tried at ordinary depth.
    """
    return [
        pytest.param(edit, door, place, id=f"{edit.name}-{door}-{place}")
        for edit in (edits if DEEP else edits[::every])
        for door in (edit.doors if DEEP else edit.doors[:1])
        for place in range(TRIES)
    ]
