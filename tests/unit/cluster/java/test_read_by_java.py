"""Files and login lines are read as Java reads them: its own answers are kept beside this test (ReadByJava.java)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cluster.errors import Misconfigured
from cluster.settings.java.jaas import UnreadableLogin, read_login
from cluster.settings.java.properties_format import parse, trimmed

BY_JAVA = json.loads(Path(__file__).with_name("read_by_java.json").read_text())


@pytest.mark.parametrize(("text", "pairs"), BY_JAVA["properties"])
def test_a_properties_file_is_read_as_java_reads_it(text, pairs):
    if pairs is None:
        with pytest.raises(Misconfigured, match="line 1 cannot be read as Java reads it"):
            parse(text)
    else:
        assert parse(text) == pairs


@pytest.mark.parametrize(("text", "login"), BY_JAVA["logins"])
def test_a_login_line_is_read_as_kafka_reads_it(text, login):
    if login is None:
        with pytest.raises(UnreadableLogin):
            read_login(text)
    else:
        found = read_login(text)
        assert [found.module, dict(found.options)] == login


@pytest.mark.parametrize(
    ("value", "left"), [(" a ", "a"), ("\t\x0b\x1fa\x00", "a"), ("\xa0a\u2028", "\xa0a\u2028"), ('" a "', '" a "')]
)
def test_values_are_trimmed_as_kafka_trims_them(value, left):
    assert trimmed(value) == left


def test_nothing_of_a_line_that_cannot_be_read_is_shown():
    with pytest.raises(UnreadableLogin) as told:
        read_login('org.apache.kafka.common.security.plain.PlainLoginModule required password="ab"hunter2";')
    assert "hunter2" not in str(told.value)
    with pytest.raises(Misconfigured) as wrong:
        parse("a=1\nssl.key.password=hunter2\\usx\n")
    assert "line 2" in str(wrong.value)
    assert "hunter2" not in str(wrong.value)
