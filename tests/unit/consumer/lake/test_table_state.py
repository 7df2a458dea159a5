"""What a Hive table was computed from decides what is computed again."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster.errors import Misconfigured, WarehouseDamaged
from consumer.lake.hive.state import new_batches, read_state, state_of
from consumer.lake.published import Batch, Published
from streamproof.flags.hive import hive_asked
from tests.kit.commands import streamproof


def published(*numbers: int, topic_id: str = "a") -> dict[str, Published]:
    return {"clicks": Published("clicks", "c", topic_id, batches=[Batch(number, []) for number in numbers])}


def test_only_batches_that_are_new_are_computed(tmp_path: Path) -> None:
    before = state_of("SELECT 1", published(0, 1, 2, 7))
    before.write(tmp_path / "state" / "t.json")
    assert read_state(tmp_path / "state" / "t.json") == before
    assert before.batches == {"clicks": [(0, 2), (7, 7)]}
    assert new_batches(before, state_of("SELECT 1", published(0, 1, 2, 7))) == {"clicks": set()}
    assert new_batches(before, state_of("SELECT 1", published(0, 1, 2, 7, 8, 5))) == {"clicks": {5, 8}}


@pytest.mark.parametrize(
    "now",
    [
        state_of("SELECT 2", published(0, 1)),
        state_of("SELECT 1", published(0, 1), "/elsewhere"),
        state_of("SELECT 1", published(0, 1, topic_id="b")),
        state_of("SELECT 1", published(1)),
    ],
)
def test_another_query_another_topic_and_a_batch_that_is_gone_compute_everything(now: object) -> None:
    assert new_batches(state_of("SELECT 1", published(0, 1)), now) is None
    assert new_batches(None, now) is None


def test_a_state_that_is_none_of_ours_is_named(tmp_path: Path) -> None:
    path = tmp_path / "t.json"
    assert read_state(path) is None
    for text in ("{", '{"format": 9}', "[]"):
        path.write_text(text)
        with pytest.raises(WarehouseDamaged, match=r"t\.json.*Take the file away"):
            read_state(path)


def test_flags_that_do_not_go_together_are_refused_before_anything_is_loaded(tmp_path: Path) -> None:
    told = {"folder": tmp_path, "master": "local[1]", "memory": "700m", "follow": False}
    asked = hive_asked("db.t", None, ["clicks", "articles"], **told)
    assert (asked.table, asked.clicks, asked.articles) == ("db.t", "clicks", "articles")
    assert hive_asked(None, None, ["clicks"], **told) is None
    for wrong, words in (
        ((None, "thrift://h:1", ["a", "b"]), "needs --hive"),
        (("t", None, ["a"]), "1 is named"),
        (("t", None, ["a", "b", "c"]), "3 are named"),
        (("t-t", None, ["a", "b"]), "not the name of a table"),
        (("t", "h:9083", ["a", "b"]), "no address of a metastore"),
    ):
        with pytest.raises(Misconfigured, match=words):
            hive_asked(*wrong, **told)
    with pytest.raises(Misconfigured, match="do not go together"):
        hive_asked("t", None, ["a", "b"], **told | {"follow": True})


def test_the_command_refuses_them_too(tmp_path: Path) -> None:
    for words, said in (
        (("clicks", "articles", "--metastore", "thrift://h:1"), "--metastore needs --hive"),
        (("clicks", "--hive", "t"), "--hive joins two topics, and 1 is named"),
        (("clicks", "articles", "--hive", "t", "--follow"), "--hive and --follow do not go together"),
    ):
        ended = streamproof("lake", *words, "--to", tmp_path / "lake")
        assert ended.exit_code == 78
        assert said in ended.text
    assert not (tmp_path / "lake").exists()
