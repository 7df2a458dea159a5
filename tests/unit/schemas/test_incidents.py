"""The record of a run's incidents: who reads manifests is not disturbed by it, who draws it gets it."""

from __future__ import annotations

import json
from typing import Any, cast

import pytest

from cluster.records import Message
from schemas.control_topic import ControlTopic
from schemas.incidents import Incident, RunIncidents, duration, incidents_in

STOP = Incident(at_s=30, kind="stop", target="broker 2", for_s=20, began_at="2026-11-27T19:18:09+00:00", began_s=30.1)
OF_RUN = RunIncidents(run_id="r/1", topic="t", incidents=[STOP])


class Record:
    """A record of the control topic of topic t."""

    def __init__(self, key: str, value: str | None, topic: str = "t.manifests") -> None:
        self._key, self._value, self._topic = key, value, topic

    def key(self) -> bytes:
        return self._key.encode()

    def value(self) -> bytes | None:
        return None if self._value is None else self._value.encode()

    def topic(self) -> str:
        return self._topic

    def partition(self) -> int:
        return 0

    def offset(self) -> int:
        return 7


def taken(*records: Any) -> ControlTopic:
    control = ControlTopic()
    for record in records:
        control.take(cast("Message", record))
    return control


def test_the_newest_record_of_a_run_counts_and_one_without_a_value_takes_it_back():
    key, first = OF_RUN.key(), OF_RUN.model_dump_json()
    second = OF_RUN.model_copy(update={"incidents": [STOP.model_copy(update={"ended_s": 50.2})]})
    control = taken(Record(key, first), Record(key, second.model_dump_json()))
    assert control.incidents == {"r/1": second}
    assert not taken(Record(key, first), Record(key, None)).incidents


@pytest.mark.parametrize(
    "record",
    [
        Record(OF_RUN.key(), OF_RUN.model_dump_json()),
        Record(OF_RUN.key(), OF_RUN.model_dump_json(), topic="copy.manifests"),
        Record(OF_RUN.key(), json.dumps({**OF_RUN.model_dump(), "format": 2})),
        Record("other/incidents", OF_RUN.model_dump_json()),
        Record("r/1/incidents", "garbage"),
    ],
    ids=["ours", "a copy", "of a later version", "of another run", "garbage"],
)
def test_who_judges_or_sends_takes_no_notice_of_incidents_readable_or_not(record):
    control = taken(record)
    assert (control.manifests, control.unread, control.deleted, control.runs()) == ({}, {}, set(), [])


def test_a_run_that_is_called_as_incidents_are_keeps_its_manifests_apart():
    assert incidents_in("r/incidents/0", OF_RUN.model_dump_json()) is None
    assert incidents_in(b"r/1/incidents", OF_RUN.model_dump_json().encode()) == OF_RUN
    assert incidents_in(None, b"{}") is None


def test_durations_read_as_people_write_them():
    assert [duration(value) for value in (20, 90, 300, 3600, 5400, 0.5, 0)] == [
        "20s",
        "90s",
        "5m",
        "1h",
        "90m",
        "0.5s",
        "0s",
    ]
