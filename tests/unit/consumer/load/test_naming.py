"""Which schema a value names, with a frame and without one."""

from __future__ import annotations

import pytest

from consumer.load.naming import TopicNaming, finder
from schemas.fingerprint import number_of
from schemas.formats import WrittenSchema
from schemas.formats.frame import Frames, frame_header
from schemas.undecodable import UndecodableValue

PLAIN = WrittenSchema('{"type": "record", "name": "R", "fields": []}', "plain-json")


def test_a_value_without_a_frame_is_of_the_schema_that_is_found_once() -> None:
    asked = []

    def find() -> WrittenSchema:
        asked.append(1)
        return PLAIN

    naming = TopicNaming(find)
    assert naming.schema_id(frame_header(7)) == 7
    assert asked == [], "nobody asks before there is a value without a frame"
    assert naming.schema_id(b'{"a":') == naming.schema_id(b" {") == number_of(PLAIN.text) < 0
    assert (asked, naming.plain) == ([1], {number_of(PLAIN.text): PLAIN})


@pytest.mark.parametrize("found", [None, WrittenSchema("no JSON", "plain-json")])
def test_where_nobody_knows_a_schema_the_frame_is_what_is_wrong(found: WrittenSchema | None) -> None:
    naming = TopicNaming(lambda: found)
    for head, kind in (
        (b"{", "bad_magic"),
        (b"", "empty"),
        (b"\0\0", "short"),
        (b"\0\xff\xff\xff\xff", "bad_schema_id"),
    ):
        with pytest.raises(UndecodableValue) as fault:
            naming.schema_id(head)
        assert (fault.value.phase, fault.value.kind) == ("frame", kind)


def test_what_is_told_counts_before_what_is_kept() -> None:
    other = WrittenSchema(PLAIN.text.replace("R", "S"), "plain-json")
    framed = WrittenSchema(PLAIN.text)
    assert finder(other, None, None, "t", [PLAIN])() == other
    assert finder(None, None, None, "t", [PLAIN, other, framed])() == other
    assert finder(None, "avro", None, "t", [PLAIN])() is None
    assert finder(None, None, None, "t", [framed])() is None


def test_a_frame_is_told_by_its_first_byte() -> None:
    assert Frames(-5).schema_id(b"{}") == -5
    assert Frames(-5).schema_id(frame_header(3)) == 3
    assert number_of('{"a": 1,  "b": 2}') == number_of('{"b":2,"a":1}') != number_of("{}")
