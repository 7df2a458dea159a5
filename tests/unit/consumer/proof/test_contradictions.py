"""A file that contradicts itself, or the manifests, never passes: could not look is not looked and fine."""

from __future__ import annotations

import json
from typing import Any

import pytest

from schemas.manifest import SchemaUsed

EVENTS = 600
OTHER = json.dumps({"type": "record", "name": "Other", "fields": [{"name": "event_id", "type": "string"}]})


@pytest.mark.parametrize(
    ("statements", "said"),
    [
        (["UPDATE events SET _schema_id = 999"], "schema id 999, of 600 events, the first in partition 0 at offset 0"),
        (["UPDATE events SET _schema_id = 999 WHERE _partition = 1 AND _offset = 7"], "partition 1 at offset 7"),
        (["UPDATE events SET _schema_id = NULL WHERE _partition = 1 AND _offset = 7"], "name no schema"),
        (["DELETE FROM schema_versions"], "the text of schema id 1, of 600 events"),
        (["INSERT INTO schema_versions FROM schema_versions"], "is kept 2 times"),
        (
            ["UPDATE schema_versions SET schema = replace(schema, 'UserEvent', 'Event')"],
            "not the one that the manifests",
        ),
        (["UPDATE schema_versions SET schema = '{'"], "is not the one that the manifests name"),
        ([f"UPDATE schema_versions SET schema = '{OTHER}'"], "is not the one that the manifests name"),
        (["DELETE FROM event_columns WHERE field = 'user_id'"], "field user_id has no column"),
        (["UPDATE event_columns SET column_name = 'session_id' WHERE field = 'user_id'"], "user_id is said to be in"),
        (["ALTER TABLE events ADD COLUMN extra INTEGER"], "column extra of events belongs to no schema"),
        (["INSERT INTO event_columns VALUES ('extra', 'user_id_2')"], "field extra, which has column user_id_2"),
        (["ALTER TABLE events ALTER session_id TYPE BLOB USING encode(session_id)"], "column session_id is BLOB"),
        (["UPDATE load_offsets SET topic_id = 'topic-id-2'"], None),
    ],
    ids=str,
)
def test_a_contradiction_inside_the_file_fails_and_is_named(lab: Any, statements: list[str], said: str | None) -> None:
    lab.sql(*statements)
    if said is None:
        lab.topic_id = "topic-id-2"
        said = (
            "shard 0 wrote to the topic with id topic-id, and the warehouse was loaded from the one with id topic-id-2"
        )
    result = lab.audit()
    assert result.verdict == "FAILED"
    assert said in " ".join([result.reason, *result.contradictions])


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE events ALTER _schema_id TYPE BIGINT",
        "UPDATE schema_versions SET schema = replace(schema, ': ', ' :  ')",
        "UPDATE events SET user_id = user_id",
        "CREATE TABLE notes (text VARCHAR)",
    ],
)
def test_an_edit_that_changes_nothing_of_meaning_still_passes(lab: Any, statement: str) -> None:
    lab.sql(statement)
    result = lab.audit()
    assert (result.verdict, result.not_compared) == ("PASSED", []), result.reason


def test_columns_that_were_exchanged_with_what_is_said_of_them_are_found(lab: Any) -> None:
    lab.sql(
        "ALTER TABLE events RENAME user_id TO other",
        "ALTER TABLE events RENAME session_id TO user_id",
        "ALTER TABLE events RENAME other TO session_id",
        "UPDATE event_columns SET column_name = "
        "CASE field WHEN 'user_id' THEN 'session_id' WHEN 'session_id' THEN 'user_id' ELSE column_name END",
    )
    result = lab.audit()
    assert result.verdict == "FAILED"
    assert "field user_id is said to be in column session_id" in result.contradictions


def test_manifests_that_give_one_schema_id_two_texts_contradict_the_file(lab: Any) -> None:
    other = SchemaUsed(subject="customer_events-value", version=1, id=1, fingerprint="0" * 64)
    for shard in (0, 1):
        lab.amend(shard, schema_used=other)
    result = lab.audit()
    assert (result.verdict, result.altered) == ("FAILED", 0)
    assert "the kept text of schema id 1 is not the one that the manifests name" in result.reason


def test_a_text_that_nobody_outside_vouches_for_is_said_where_the_registry_does_not_answer(lab: Any) -> None:
    older = SchemaUsed(subject="customer_events-value", version=1, id=1)
    for shard in (0, 1):
        lab.amend(shard, schema_used=older)
    result = lab.audit()
    assert result.verdict == "PASSED"
    assert "not compared: the text of schema id 1" in result.reason
