"""Scenario files of the kind replay, and the feeds of the project: what they may say, and what is said of mistakes."""

from __future__ import annotations

import json
import threading

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cluster.errors import Interrupted, Misconfigured
from producer import ProduceRequest
from producer.plan.agreement import asked_of
from producer.preview.preview import preview
from producer.scenarios import Asked, contract_of, find_scenario
from producer.scenarios.find import ends_by_itself, options_known
from producer.scenarios.replay import scenario as replay
from tests.kit.commands import streamproof

ROWS = "id,at,total,note\n1,2026-01-31T12:00:00Z,1.5,\n2,2026-01-31T12:00:01Z,2.5,x\n"


@pytest.fixture(autouse=True)
def _own_copies(tmp_path, monkeypatch):
    monkeypatch.setattr(replay, "copies_home", lambda: tmp_path / "copies")


@pytest.fixture
def write(folder):
    """Write a scenario file beside its rows."""

    def written(text: str = "", rows: str = ROWS, name: str = "orders_1.csv") -> str:
        (folder / name).write_text(rows)
        path = folder / "orders.yaml"
        path.write_text(f"kind: replay\nprefix: orders_\n{text}")
        return str(path)

    return written


def settings_of(scenario, **asked):
    return scenario.settings(None, 0, Asked(options=asked))


def test_a_file_of_three_lines_is_a_scenario(write):
    file = write("key: id\nevent_time: at\n")
    assert ends_by_itself(file)
    found = preview(file)
    assert (found.events, found.limit, found.keys) == (2, 2, 2)
    assert found.event_time == ("2026-01-31T12:00:00.000+00:00", "2026-01-31T12:00:01.000+00:00")
    scenario = find_scenario(file)
    assert (scenario.name, scenario.format, scenario.identity) == ("orders", "avro", "header")
    contract = contract_of(scenario)
    assert [field["name"] for field in contract.latest().schema["fields"]] == ["id", "at", "total", "note"]
    assert contract.source.endswith("orders.avsc")


def test_a_run_of_files_needs_no_other_end_and_takes_an_earlier_one(write):
    file = write()
    request = ProduceRequest(topic="t", run_id="r", scenario=file)
    assert (request.plan.ends_by_itself, request.plan.asked, request.plan.target) == (True, None, None)
    assert ProduceRequest(topic="t", run_id="r", scenario=file, events=1).plan.target == 1
    assert not ends_by_itself("clickstream")
    assert ends_by_itself("click_stream")


def test_where_the_files_are_is_not_what_a_run_is_begun_with(write, folder):
    file = write()
    request = ProduceRequest(topic="t", run_id="r", scenario=file, options={"folder": str(folder)})
    assert "folder" not in request.plan.settings()
    assert asked_of(request.plan, find_scenario(file)).options["folder"] == str(folder)
    first = ProduceRequest(topic="t", run_id="r", scenario="click_stream", options={"folder": "a", "prefix": "x"})
    assert first.plan.settings()["prefix"] == "x"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("prefx: a\n", "unknown key 'prefx', did you mean 'prefix'?"),
        ("format: avr\n", "'avr' is none of avro, json, plain-json, did you mean avro?"),
        ("data: xml\n", "data: 'xml' is not one of"),
        ("encoding: utf-9\n", "encoding: 'utf-9' is no encoding"),
        ("delimiter: ab\n", "delimiter: the delimiter is 'ab', it must be one character"),
        ("quote: ','\n", "quote: the quote is ','"),
        ("compression: zip\n", "compression: the compression is 'zip'"),
        ("data: parquet\nencoding: latin-1\n", "encoding: files of parquet have none"),
        ("names: [a, a]\n", "names: a name stands twice"),
        ("columns: {note: a, total: a}\n", "columns: a name stands twice"),
        ("columns: {note: a}\nnames: [id, at, total, note]\n", "columns: names says already"),
        ("columns: {notes: a}\n", "the file has no 'notes', as columns says"),
        ("columns: {note: id}\n", "the file would have id twice, as columns says"),
        ("columns: {note: a b}\n", "no field of a schema can be called 'a b'"),
        ("schema: orders.avsc\n", "schema: "),
        ("schema: click_stream\nkey: user\n", "key: the schema has no field user, did you mean user_id?"),
        ("schema: click_stream\nnames: [user_id]\n", "names: session_id of the schema is missing"),
        ("schema: clickstream\nevent_time: ip\n", "event_time: ip is no timestamp and no long of milliseconds"),
        ("key: nothing\n", "key: the files have no column nothing"),
        ("event_time: note\n", "the event time note is no timestamp"),
    ],
)
def test_every_mistake_of_a_file_is_told(write, text, told):
    with pytest.raises(Misconfigured) as refused:
        preview(write(text))
    assert told in refused.value.message


def test_all_mistakes_of_a_file_are_told_at_once(write):
    with pytest.raises(Misconfigured, match="3 faults"):
        find_scenario(write("prefx: a\nformat: avr\ndelimiter: ab\n"))


def test_what_a_file_says_of_its_rows_is_done(write, folder):
    (folder / "own.avsc").write_text(
        json.dumps(
            {"type": "record", "name": "O", "fields": [{"name": "id", "type": "string"}, {"name": "n", "type": "long"}]}
        )
    )
    file = write("schema: own.avsc\nnames: [id, n]\ndelimiter: tab\nquote: none\nformat: json\n", '007\t1\n"\t2\n')
    scenario = find_scenario(file)
    settings = settings_of(scenario)
    assert scenario.format == "json"
    assert scenario.open(1, 0, settings).block(0).to_pylist() == [{"id": "007", "n": 1}, {"id": '"', "n": 2}]


ODD = [{"user id": 1, "": "x", "größe": 1.5}, {"user id": 2, "": "y", "größe": 2.5}]


@pytest.mark.parametrize("data", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize("nested", [False, True])
def test_columns_that_no_field_can_be_called_have_the_names_that_are_given(folder, data, nested):
    if data == "csv":
        text = "user id,,größe\n1,x,1.5\nuser id,,größe\n2,y,2.5\n"
        (folder / "orders_1.csv").write_text(text)
    elif data == "jsonl":
        twice = {**ODD[0], "id": 1}
        lines = [ODD[0], twice, ODD[1]]
        (folder / "orders_1.jsonl").write_text("\n".join(json.dumps(line) for line in lines))
    else:
        pq.write_table(pa.Table.from_pylist(ODD), folder / "orders_1.parquet")
    more = [{"name": "no", "type": ["null", {"type": "array", "items": "long"}]}] if nested and data == "jsonl" else []
    kinds = {"id": "long", "word": "string", "size": "double"}
    fields = [{"name": name, "type": kind} for name, kind in kinds.items()] + more
    (folder / "own.avsc").write_text(json.dumps({"type": "record", "name": "O", "fields": fields}))
    path = folder / "orders.yaml"
    path.write_text(
        'kind: replay\nprefix: orders_\nkey: id\ncolumns: {"user id": id, "": word, größe: size}\n'
        + ("schema: own.avsc\n" if nested else ""),
        encoding="utf-8",
    )
    scenario = find_scenario(str(path))
    rows = scenario.open(1, 0, settings_of(scenario)).block(0).select(["id", "word", "size"]).to_pylist()
    assert rows == [{"id": 1, "word": "x", "size": 1.5}, {"id": 2, "word": "y", "size": 2.5}]


def test_other_rows_or_another_way_to_read_them_are_refused_and_another_folder_is_not(write, folder, tmp_path):
    file = write("key: id\n")
    scenario = find_scenario(file)
    begun = settings_of(scenario)
    assert (begun["rows"], begun["set_aside"], begun["files"]) == (2, 0, 1)
    moved = tmp_path / "moved"
    moved.mkdir()
    (moved / "orders_1.csv").write_text(ROWS)
    again = scenario.resumed(begun, Asked(options={"folder": str(moved)}))
    assert {**again, "folder": begun["folder"]} == begun
    assert again["folder"] == str(moved)
    (moved / "orders_1.csv").write_text(ROWS.replace("2.5", "2.6"))
    with pytest.raises(Misconfigured, match="some of their bytes"):
        scenario.resumed(begun, Asked(options={"folder": str(moved)}))
    (moved / "orders_2.csv").write_text(ROWS)
    with pytest.raises(Misconfigured, match="it had 2 rows of 1 files, now there are 4 rows of 2 files"):
        scenario.resumed(begun, Asked(options={"folder": str(moved)}))


def test_a_run_is_made_again_where_its_copy_is_gone_and_refused_where_its_files_are_others(
    write, folder, tmp_path, monkeypatch
):
    file = write("key: id\n")
    settings = settings_of(find_scenario(file))
    monkeypatch.setattr(replay, "copies_home", lambda: tmp_path / "elsewhere")
    assert find_scenario(file).open(1, 0, settings).limit == 2
    monkeypatch.setattr(replay, "copies_home", lambda: tmp_path / "third")
    moved = folder.rename(tmp_path / "moved")
    with pytest.raises(Misconfigured, match="the files that were replayed are not here"):
        find_scenario(str(moved / "orders.yaml")).open(1, 0, settings)
    monkeypatch.setenv(replay.FOLDER_VARIABLE, str(moved))
    assert find_scenario(str(moved / "orders.yaml")).open(1, 0, settings).limit == 2


def test_more_shards_than_files_are_refused(write, folder):
    file = write("key: id\n")
    (folder / "orders_2.csv").write_text(ROWS)
    scenario = find_scenario(file)
    assert [scenario.settings(None, 0, Asked(shards=2, shard=shard))["rows"] for shard in range(2)] == [2, 2]
    with pytest.raises(Misconfigured, match="3 shards cannot share 2 files"):
        scenario.settings(None, 0, Asked(shards=3))


def test_the_feeds_of_the_project_have_their_contracts_and_say_what_they_lack(tmp_path):
    clicks, articles = find_scenario("click_stream"), find_scenario("click_stream_metadata")
    assert (clicks.key, clicks.event_time, articles.key, articles.event_time) == (
        *("user_id", "click_timestamp", "article_id", "created_at_ts"),
    )
    assert {option.name for option in options_known("click_stream")} >= {"folder", "prefix", "suffix", "encoding"}
    for words, told in (
        (("preview", "click_stream"), "no folder is given"),
        (("preview", "click_stream", "-o", f"folder={tmp_path / 'nowhere'}"), "the folder of the replay is not there"),
        (("preview", "click_stream", "-o", f"folder={tmp_path}"), "no file begins with 'clicks_hour_'"),
        (("preview", "click_stream", "-o", f"folder={tmp_path}", "-o", "encoding=utf-9"), "is no encoding"),
        (("preview", "click_stream", "-o", "foldr=x"), "takes no option foldr, did you mean folder?"),
    ):
        ended = streamproof(*words)
        assert (ended.exit_code, told in ended.stderr) == (78, True), ended.stderr


def test_a_preview_of_files_without_a_row_says_so(write):
    with pytest.raises(Misconfigured, match="has no event"):
        preview(write("schema: click_stream\n", rows="", name="orders_1.csv"))


def test_names_of_files_that_have_their_own_are_refused(write):
    with pytest.raises(Misconfigured, match="names are given, and files of jsonl have their own"):
        preview(write("names: [a]\n", rows='{"a":1}\n', name="orders_1.jsonl"))


def test_a_preview_says_which_numbers_are_no_times(write):
    micros = 1_767_225_600_000_000
    with pytest.raises(Misconfigured, match="holds 1,767,225,600,000,000 to 1,767,225,600,000,000, which are no milli"):
        preview(write("event_time: at\n", rows=f"id,at\n1,{micros}\n"))


def test_a_stop_ends_the_reading_of_files_without_a_schema_too(write, tmp_path):
    stop = threading.Event()
    stop.set()
    with pytest.raises(Interrupted):
        find_scenario(write()).prepare(Asked(stop=stop))
    assert not list((tmp_path / "copies").glob("*/index.json"))


def test_types_are_those_of_the_files_in_the_folder_that_is_asked_for(write, tmp_path):
    file, elsewhere = write(), tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "orders_1.csv").write_text("other\n1\n")
    scenario = find_scenario(file)
    scenario.prepare(Asked(options={"folder": str(elsewhere)}))
    assert [field["name"] for field in contract_of(scenario).latest().schema["fields"]] == ["other"]


def test_what_was_set_aside_is_told_before_the_first_event(write, tmp_path):
    file = write("key: id\n", rows=ROWS + "3\n")
    ended = streamproof("preview", file)
    assert ended.exit_code == 0, ended.stderr
    assert "rows were set aside" in ended.stderr
    assert "orders_1.csv, line 4: 1 fields, the header has 4" in ended.stderr
    assert "set_aside.jsonl" in ended.stderr


@pytest.mark.parametrize(
    ("rows", "options", "told"),
    [
        ([(5, 1, 1), (6, 2, 2)], {}, ("at", "at", "size")),
        # A little behind is not late; much behind would be found to be.
        ([(20_000, 1, 1), (1, 2, 2)], {}, ("at", "at", "size")),
        ([(20_001, 1, 1), (1, 2, 2)], {}, (None, "at", "size")),
        ([(20_001, 1, 1), (1, 2, 2)], {"order": "time"}, ("at", "at", "size")),
        ([(9_999_999_999_999, 1, 1)], {}, ("at", None, "size")),
        ([(5, -1, 1), (6, 2, 2)], {}, ("at", "at", "n")),
        ([(5, -1, -1)], {}, ("at", "at", None)),
    ],
)
def test_faults_go_into_what_holds_of_all_rows(write, rows, options, told):
    lines = "".join(f"k,{at},{size},{n}\n" for at, size, n in rows)
    scenario = find_scenario(write("key: some_id\nevent_time: at\n", rows=f"some_id,at,size,n\n{lines}"))
    scenario.prepare(Asked(options=options))
    targets = scenario.fault_targets
    assert (targets.event_time, targets.date, targets.duration) == told
