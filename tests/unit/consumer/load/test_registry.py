"""A registry that was made anew and gives an id to another schema: nothing of it is read with the wrong one."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cluster.errors import Misconfigured, Refused, RegistryUnreachable, SchemaReplaced
from consumer.load.readers import Readers
from schemas.formats import WrittenSchema
from schemas.registry.client import UnknownSchema
from schemas.undecodable import UnsupportedSchema

SENDER_FIRST = {
    "type": "record",
    "name": "Sent",
    "doc": "as registered",
    "fields": [{"name": "sender", "type": "string"}, {"name": "receiver", "type": "string"}],
}
RECEIVER_FIRST = SENDER_FIRST | {"fields": SENDER_FIRST["fields"][::-1]}  # type: ignore[index]
KEPT = json.dumps(SENDER_FIRST)


class Answers:
    """A registry that gives one answer, and counts how often it is asked."""

    url = "http://registry"

    def __init__(self, answer: str | WrittenSchema | Exception) -> None:
        self.answer, self.asked = answer, 0

    def schema(self, schema_id: int) -> WrittenSchema:
        self.asked += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return WrittenSchema(self.answer) if isinstance(self.answer, str) else self.answer


def readers(answer: str | WrittenSchema | Exception, known: dict[int, str]) -> tuple[Readers, Answers]:
    registry: Any = Answers(answer)
    kept = {schema_id: WrittenSchema(text) for schema_id, text in known.items()}
    return Readers(registry, kept, lambda _id, _text, root: [name for name, _ in root.fields]), registry


@pytest.mark.parametrize(
    "there", [KEPT, json.dumps(SENDER_FIRST, indent=2, sort_keys=True), json.dumps(SENDER_FIRST | {"doc": "other"})]
)
def test_a_text_that_means_the_same_is_the_same_schema(there: str) -> None:
    made, registry = readers(there, {71: KEPT})
    assert made(71).schema_id == 71
    assert made(71).schema_id == 71
    assert (registry.asked, made.not_compared) == (1, {})


@pytest.mark.parametrize(
    "there",
    [json.dumps(RECEIVER_FIRST), "{", WrittenSchema(KEPT, "json"), UnsupportedSchema("schema 71 is PROTOBUF")],
    ids=str,
)
def test_an_id_that_belongs_to_another_schema_now_ends_the_load(there: str | WrittenSchema | Exception) -> None:
    made, _ = readers(there, {71: KEPT})
    with pytest.raises(SchemaReplaced, match="gives id 71 to another schema now") as error:
        made(71)
    assert error.value.exit_code == 65


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (RegistryUnreachable("down"), "does not answer"),
        (UnknownSchema("no such id"), "does not know the id"),
        (Refused("the registry does not know this login"), "this login"),
        (Misconfigured("no registry"), "no registry"),
    ],
)
def test_a_registry_that_cannot_say_does_not_stop_a_load_which_tells_so(answer: Exception, why: str) -> None:
    made, _ = readers(answer, {71: KEPT})
    assert made(71).schema_id == 71
    assert why in made.not_compared[71]


def test_a_registry_that_is_down_is_waited_for_once() -> None:
    made, registry = readers(RegistryUnreachable("down"), {1: KEPT, 2: KEPT, 3: KEPT})
    for schema_id in (1, 2, 3):
        made(schema_id)
    assert (registry.asked, sorted(made.not_compared)) == (1, [1, 2, 3])


def test_what_is_new_is_asked_for_and_not_compared_with_itself() -> None:
    made, registry = readers(KEPT, {})
    assert made(71).schema_id == 71
    assert (registry.asked, made.not_compared) == (1, {})
