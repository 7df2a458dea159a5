"""The staged copy: made once, whole or not at all, the same for the same bytes, and row n at once."""

from __future__ import annotations

import datetime as dt
import gzip
import json
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cluster.errors import Interrupted, Misconfigured, StoreFailed, WarehouseDamaged
from producer.scenarios.replay.files import Files
from producer.scenarios.replay.reading import Reading
from producer.scenarios.replay.staged import writing
from producer.scenarios.replay.staged.digests import digested
from producer.scenarios.replay.staged.make import stage
from producer.scenarios.replay.staged.sweep import KEPT_DAYS, sweep
from tests.kit.waiting import wait_until

SCHEMA = json.dumps(
    {
        "type": "record",
        "name": "Row",
        "fields": [
            {"name": "n", "type": "long"},
            {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
            {"name": "word", "type": ["null", "string"]},
        ],
    }
)
READING = Reading("csv", "row", schema=SCHEMA, event_time="at")


def rows(first: int, end: int) -> str:
    return "".join(f"{n},{1_000_000 + n},{'' if n % 5 == 0 else f'w{n}'}\n" for n in range(first, end))


def write(folder: Path, *counts: int) -> list[Path]:
    first = 0
    for number, count in enumerate(counts):
        (folder / f"rows_{number}.csv").write_text("n,at,word\n" + rows(first, first + count))
        first += count
    return Files(folder, "rows_").find()


def test_row_n_is_there_in_any_order_over_all_files_and_shards(folder, tmp_path):
    staged = stage(write(folder, 40_000, 0, 7, 30_000), READING, tmp_path / "copies")
    assert (staged.rows, staged.set_aside, [file.rows for file in staged.index.files]) == (
        70_007,
        0,
        [40_000, 0, 7, 30_000],
    )
    whole = staged.whole
    rng = np.random.default_rng(3)
    for first in [0, 16_383, 39_999, 40_003, 70_000, *rng.integers(0, 70_007, 10).tolist()]:
        found = whole.read(first, first + 20)
        assert found.column("n").to_pylist() == list(range(first, min(first + 20, 70_007)))
    assert whole.event_times(39_990, 40_010).tolist() == [1_000_000 + n for n in range(39_990, 40_010)]
    assert (whole.event_time_range, whole.in_order) == ((1_000_000, 1_070_006), True)
    shards = [staged.shard(shard, 2) for shard in range(2)]
    assert [shard.rows for shard in shards] == [40_007, 30_000]
    assert shards[0].read(39_999, 40_001).column("n").to_pylist() == [39_999, 40_000]
    assert shards[1].read(0, 1).column("n").to_pylist() == [40_007]
    assert staged.shard(1, 4).rows == 0
    assert staged.shard(1, 4).event_time_range is None
    assert len(staged.shard(1, 4).read(0, 5)) == 0


def test_the_same_bytes_are_the_same_copy_wherever_they_are_and_other_bytes_another(folder, tmp_path):
    home = tmp_path / "copies"
    first = stage(write(folder, 10), READING, home)
    made = (first.folder / "index.json").stat().st_ino
    moved = folder.rename(tmp_path / "moved")
    again = stage(Files(moved, "rows_").find(), READING, home)
    assert (again.content, (again.folder / "index.json").stat().st_ino) == (first.content, made)
    other = stage(Files(moved, "rows_").find(), Reading("csv", "row", schema=SCHEMA, event_time=None), home)
    assert other.content != first.content
    with (moved / "rows_0.csv").open("a") as file:
        file.write("10,5,x\n")
    assert stage(Files(moved, "rows_").find(), READING, home).rows == 11


def test_an_inferred_schema_has_the_same_text_for_the_same_files(folder, tmp_path):
    (folder / "a.csv").write_text(
        "id,when,price,ok,note\n1,2026-01-31T12:00:00Z,1.5,true,\n2,2026-02-01T12:00:00Z,2,false,x\n"
    )
    (folder / "b.csv").write_text("note,ok,price,when,id\ny,true,3,2026-02-01T12:00:00Z,007\n")
    reading = Reading("csv", "shop-rows")
    texts = {stage(Files(folder).find(), reading, tmp_path / home).index.contract for home in ("one", "two")}
    assert texts == {
        (
            '{"type":"record","name":"shop_rows","fields":[{"name":"id","type":"string"},'
            '{"name":"when","type":{"type":"long","logicalType":"timestamp-micros"}},{"name":"price","type":"double"},'
            '{"name":"ok","type":"boolean"},{"name":"note","type":["null","string"],"default":null}]}'
        )
    }
    staged = stage(Files(folder).find(), reading, tmp_path / "one")
    # Where only the order of the columns differs they are read by their names.
    assert staged.whole.read(2, 3).to_pylist()[0]["id"] == "007"


def test_a_value_that_is_none_of_its_type_sets_its_row_aside_and_empty_is_null_or_nothing(folder, tmp_path):
    (folder / "rows_0.csv").write_text("n,at,word\n1,5,a\nx,5,b\n,5,c\n3,noon,\n4,5,\n")
    staged = stage(Files(folder).find(), READING, tmp_path / "copies")
    assert staged.whole.read(0, 9).to_pylist()[1]["word"] is None
    assert [(one.aside.line, one.aside.reason, one.aside.detail, one.aside.raw) for one in staged.read_aside()] == [
        (3, "wrong_type", "n is no long", b"x,5,b\n"),
        (4, "empty_field", "n is empty", b",5,c\n"),
        (5, "wrong_type", "at is no timestamp-millis", b"3,noon,\n"),
    ]
    assert staged.index.set_aside == {"empty_field": 1, "wrong_type": 2}


@pytest.mark.parametrize(
    ("header", "told"),
    [
        ("n,at", "the column word is missing"),
        ("n,at,word,more", "the column 'more' is not in the schema"),
        ("n,at,words", "the column word is missing; the column 'words' is not in the schema, did you mean word"),
    ],
)
def test_a_file_whose_columns_differ_is_refused_by_its_name(folder, tmp_path, header, told):
    write(folder, 2)
    (folder / "rows_1.csv").write_text(f"{header}\n")
    with pytest.raises(Misconfigured, match=told) as refused:
        stage(Files(folder).find(), READING, tmp_path / "copies")
    assert refused.value.where.endswith("rows_1.csv")
    with pytest.raises(Misconfigured, match=r"not those of rows_0\.csv"):
        stage(Files(folder).find(), Reading("csv", "row"), tmp_path / "copies")
    assert [path.name for path in (tmp_path / "copies").iterdir() if not path.name.startswith((".lock", "known"))] == []


def test_a_copy_that_was_stopped_leaves_nothing_that_counts(folder, tmp_path):
    stop, home, told = threading.Event(), tmp_path / "copies", []

    def heard(progress):
        told.append(progress)
        if progress.doing == "copying":
            stop.set()

    paths = write(folder, 60_000, 60_000)
    with pytest.raises(Interrupted):
        stage(paths, READING, home, told=heard, stop=stop)
    assert not [path for path in home.iterdir() if path.is_dir()]
    staged = stage(paths, READING, home, told=told.append)
    assert staged.rows == 120_000
    assert {progress.doing for progress in told} == {"looking", "copying"}
    assert told[-1].rows_per_s > 0


MAKE = """
import sys
# limits
from pathlib import Path
from producer.scenarios.replay.files import Files
from producer.scenarios.replay.staged.make import stage
from tests.unit.producer.scenarios.replay.test_staged import READING
folder, home = map(Path, sys.argv[1:])
print(stage(Files(folder).find(), READING, home, told=lambda _: print("on", flush=True)).content)
"""

LIMITS = """import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))"""


def making(folder: Path, home: Path) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", MAKE, folder, home], stdout=subprocess.PIPE, text=True)


def test_a_maker_that_was_killed_leaves_nothing_that_counts_and_the_next_one_sweeps_it(folder, tmp_path):
    home, paths = tmp_path / "copies", write(folder, 400_000)
    maker = making(folder, home)
    wait_until(lambda: list(home.glob(".making-*/rows-*")), "the copy is begun", timeout_s=60)
    os.kill(maker.pid, signal.SIGKILL)
    maker.communicate()
    assert list(home.glob(".making-*"))
    assert not list(home.glob("*/index.json"))
    small = write(folder, 10)
    assert stage(small, READING, home).rows == 10
    assert not list(home.glob(".making-*"))
    assert len(paths) == 1


def test_several_who_want_the_same_copy_make_one(folder, tmp_path):
    home, paths = tmp_path / "copies", write(folder, 30_000)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: stage(paths, READING, home), range(4)))
    assert len({staged.content for staged in found}) == 1
    assert len(list(home.glob("*/index.json"))) == 1


def test_a_full_disk_is_told_as_such_and_leaves_nothing_that_counts(folder, tmp_path):
    home, paths = tmp_path / "copies", write(folder, 60_000)
    code = MAKE.replace("# limits", LIMITS)
    ended = subprocess.run([sys.executable, "-c", code, folder, home], capture_output=True, text=True, check=False)
    assert "StoreFull: no space left for the staged copy" in ended.stderr
    assert not [path for path in home.iterdir() if path.is_dir()]
    assert stage(paths, READING, home).rows == 60_000


def test_a_file_that_changes_while_it_is_read_is_refused(folder, tmp_path):
    paths = write(folder, 60_000)

    def heard(progress):
        if progress.doing == "copying":
            os.utime(paths[0], ns=(1, 1))

    with pytest.raises(StoreFailed, match="the file changed while it was read"):
        stage(paths, READING, tmp_path / "copies", told=heard)


def test_a_file_that_was_not_changed_is_not_read_again(folder, tmp_path):
    paths, notes, looked = write(folder, 10), tmp_path / "known.json", []
    stop = threading.Event()
    first = digested(paths, notes, looked=lambda *place: looked.append(place), stop=stop)
    assert looked
    looked.clear()
    assert digested(paths, notes, looked=lambda *place: looked.append(place), stop=stop) == first
    assert not looked
    notes.write_text("{broken")
    assert digested(paths, notes, looked=lambda *place: looked.append(place), stop=stop) == first


def test_copies_that_nobody_opened_for_two_weeks_are_swept(folder, tmp_path):
    home = tmp_path / "copies"
    kept = stage(write(folder, 10), READING, home)
    old = stage(write(folder, 11), READING, home)
    os.utime(old.folder / "index.json", (time.time() - (KEPT_DAYS + 1) * 86_400,) * 2)
    assert sweep(home) == [old.content]
    assert kept.folder.is_dir()
    assert stage(write(folder, 11), READING, home).rows == 11


def test_a_damaged_copy_is_told_as_such(folder, tmp_path):
    home, paths = tmp_path / "copies", write(folder, 10)
    staged = stage(paths, READING, home)
    (staged.folder / "rows-00000.parquet").write_bytes(b"PAR1")
    with pytest.raises(WarehouseDamaged, match="the staged copy of the files cannot be read"):
        stage(paths, READING, home).whole.read(0, 1)
    (staged.folder / "index.json").write_text("{}")
    with pytest.raises(WarehouseDamaged):
        stage(paths, READING, home)


def test_a_file_that_cannot_be_read_is_told_by_its_name(folder, tmp_path):
    paths = write(folder, 1, 1)
    paths[1].unlink()
    with pytest.raises(StoreFailed, match="the file cannot be read: No such file") as refused:
        stage(paths, READING, tmp_path / "copies")
    assert refused.value.where.endswith("rows_1.csv")


def test_files_and_folders_whose_names_are_no_text_are_read_and_named(tmp_path):
    folder = tmp_path / "d\udcff"
    folder.mkdir()
    (folder / "a\udcfe.csv").write_text("a,b\n1,2\n3\n")
    staged = stage(Files(folder).find(), Reading("csv", "row"), tmp_path / "copies")
    assert (staged.rows, [file.name for file in staged.index.files]) == (1, ["a\\xfe.csv"])
    assert [one.file for one in staged.read_aside()] == ["a\\xfe.csv"]


def test_an_event_without_a_time_has_that_of_the_one_before_it_wherever_blocks_end(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(writing, "BLOCK_EVENTS", 4)
    times = [None, 3, 4, None, None, None, None, None, None, 7, 9, 8, None, 10]
    (folder / "a.csv").write_text("n,at\n" + "".join(f"{n},{at or ''}\n" for n, at in enumerate(times)))
    staged = stage(Files(folder).find(), Reading("csv", "row", event_time="at"), tmp_path / "copies")
    expected, last = [], 3
    for at in times:
        last = at or last
        expected.append(last)
    for first in range(len(times)):
        for end in range(first, len(times) + 1):
            assert staged.whole.event_times(first, end).tolist() == expected[first:end]


def test_packed_files_give_the_rows_of_the_files_within(folder, tmp_path):
    content = ("n,at,word\n" + rows(0, 3000)).encode()
    (folder / "rows_0.csv.gz").write_bytes(gzip.compress(content[:20_000]) + gzip.compress(content[20_000:]))
    with pa.OSFile(str(folder / "rows_1.csv.zst"), "wb") as file, pa.CompressedOutputStream(file, "zstd") as stream:
        stream.write(content)
    staged = stage(Files(folder, suffix=".csv").find(), READING, tmp_path / "copies")
    assert (staged.rows, staged.set_aside) == (6000, 0)
    (folder / "rows_2.csv.gz").write_bytes(content)
    with pytest.raises(Misconfigured, match="the file is not packed with gzip"):
        stage(Files(folder, suffix=".csv").find(), READING, tmp_path / "copies")


def test_long_rows_make_blocks_small_enough_for_memory(folder, tmp_path):
    (folder / "a.csv").write_text("word\n" + ("x" * 100_000 + "\n") * 500)
    staged = stage(Files(folder).find(), Reading("csv", "row"), tmp_path / "copies")
    assert staged.index.block_events * 100_000 <= 64 << 20
    assert staged.whole.read(499, 500).column("word").to_pylist() == ["x" * 100_000]


def test_json_lines_are_typed_as_they_say_and_a_line_that_is_no_object_is_set_aside(folder, tmp_path):
    (folder / "a.jsonl").write_bytes(
        b'\xef\xbb\xbf{"a":1,"b":"x","t":"2026-01-31T12:00:00Z"}\n{"a":2.5,"b":null,"t":""}\n[1]\n{"a":1,"a":2}\n'
        b'{"a":12345678901234567890,"b":"y","t":"z"}\n{"a":0.1234567890123456789,"b":"q","t":"z"}\n\n{"a":\n'
        b'{"a":3,"b":"\\u0000","t":"z"}\n{"a":NaN,"b":"c","t":"d"}\n{"a":4,"b":"\\\\u0000","t":"z","extra":true}\n'
        b'{"a":5,"b":"\xff","t":""}\n{"a":5,"b":"\\ud800","t":""}\n'
    )
    staged = stage(Files(folder).find(), Reading("jsonl", "row"), tmp_path / "copies")
    assert staged.whole.read(0, 9).to_pylist() == [
        {"a": 1.0, "b": "x", "t": "2026-01-31T12:00:00Z", "extra": None},
        {"a": 2.5, "b": None, "t": "", "extra": None},
        {"a": 4.0, "b": "\\u0000", "t": "z", "extra": True},
    ]
    assert [(one.aside.line, one.aside.reason) for one in staged.read_aside()] == [
        *((3, "no_object"), (4, "member_twice"), (5, "wrong_type"), (6, "not_exact"), (7, "blank_line")),
        *((8, "broken_json"), (9, "nul"), (10, "broken_json"), (12, "encoding"), (13, "encoding")),
    ]


@pytest.mark.parametrize("within", [False, True])
def test_a_number_of_json_that_its_type_would_change_is_set_aside(folder, tmp_path, within):
    numbers = {
        "double": (["0.5", "5e-324", "-1e300"], ["1e-400", "3e-324", "1e400", "9007199254740993", "1e-99999999"]),
        "float": (["0.5", "16777216"], ["16777217", "1e39", "1e-46", "0.123456789012"]),
    }
    for kind, (good, bad) in numbers.items():
        lines = [f'{{"a":{f"[{number}]" if within else number}}}' for number in (*good, *bad)]
        (folder / f"{kind}.jsonl").write_text("\n".join(lines))
        node = {"type": "array", "items": kind} if within else kind
        text = json.dumps({"type": "record", "name": "N", "fields": [{"name": "a", "type": node}]})
        staged = stage([folder / f"{kind}.jsonl"], Reading("jsonl", "row", schema=text), tmp_path / "copies")
        values = staged.whole.read(0, 9).column("a").to_pylist()
        assert values == [[float(number)] if within else float(number) for number in good]
        assert {one.aside.reason for one in staged.read_aside()} <= {"not_exact", "wrong_type"}


def test_a_line_that_is_nested_too_deeply_is_set_aside_whatever_stands_in_it(folder, tmp_path):
    deep = [b'{"a":' + b"[" * depth + b"]" * depth + b',"b":"\\u0041"}\n' for depth in (400, 900, 3000, 100_000)]
    (folder / "a.jsonl").write_bytes(b"".join(deep) + b'{"b":"x"}\n')
    text = json.dumps({"type": "record", "name": "N", "fields": [{"name": "b", "type": "string"}]})
    staged = stage(Files(folder).find(), Reading("jsonl", "row", schema=text), tmp_path / "copies")
    assert staged.whole.read(0, 9).to_pylist() == [{"b": "x"}]
    assert [one.aside.line for one in staged.read_aside()] == [1, 2, 3, 4]


def test_a_member_that_is_missing_has_the_default_of_its_field(folder, tmp_path):
    (folder / "a.jsonl").write_text("{}\n")
    day, price = {"type": "int", "logicalType": "date"}, {"type": "bytes", "logicalType": "decimal", "precision": 5}
    fields = [
        ("n", "long", 7),
        ("day", day, 5),
        ("price", {**price, "scale": 2}, "\u00ff"),
        ("or", ["long", "null"], 9),
    ]
    told = [{"name": name, "type": kind, "default": default} for name, kind, default in fields]
    told.append({"name": "none", "type": ["null", "long"]})
    text = json.dumps({"type": "record", "name": "N", "fields": told})
    staged = stage(Files(folder).find(), Reading("jsonl", "row", schema=text), tmp_path / "copies")
    assert staged.whole.read(0, 9).to_pylist() == [
        {"n": 7, "day": dt.date(1970, 1, 6), "price": Decimal("-0.01"), "or": 9, "none": None}
    ]


def test_json_lines_by_a_schema_miss_no_member_and_have_no_further_one(folder, tmp_path):
    (folder / "a.jsonl").write_text(
        '{"n":1,"at":1506826800026,"word":"x"}\n{"n":2,"at":"2026-01-31T12:00:00Z"}\n{"n":3}\n'
        '{"n":4,"at":5,"word":"x","more":1}\n{"n":"5","at":5,"word":"x"}\n{"n":6,"at":5,"word":7}\n{"n":true,"at":5}\n'
    )
    staged = stage(Files(folder).find(), Reading("jsonl", "row", schema=SCHEMA, event_time="at"), tmp_path / "copies")
    assert staged.whole.read(0, 9).column("n").to_pylist() == [1, 2]
    assert [(one.aside.line, one.aside.reason, one.aside.detail) for one in staged.read_aside()] == [
        (3, "missing_member", "at is missing"),
        (4, "further_member", "the schema has no more"),
        *((5, "wrong_type", "n is no long"), (6, "wrong_type", "word is no string"), (7, "wrong_type", "n is no long")),
    ]


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ('{"a":1}\n{"a":"x"}\n', r"several types: long \(a.jsonl, line 1\), string \(a.jsonl, line 2\)"),
        ('{"a":[1]}\n', "holds lists, for which no type is inferred"),
        ('{"a b":1}\n', "no field of a schema can be called 'a b'"),
        ("[]\n", r"what the columns are; the first is a.jsonl line 1: no_object \(the line holds a list"),
        ('{\n"a":1\n}\n', r"the first is a.jsonl line 1: broken_json"),
        ("", "no row that says what the columns are"),
    ],
)
def test_json_lines_without_a_type_are_refused_in_words(folder, tmp_path, lines, told):
    (folder / "a.jsonl").write_text(lines)
    with pytest.raises(Misconfigured, match=told):
        stage(Files(folder).find(), Reading("jsonl", "row"), tmp_path / "copies")


def test_what_lies_within_members_is_read_by_a_schema(folder, tmp_path):
    tags = {"name": "tags", "type": {"type": "array", "items": "string"}}
    schema = json.dumps({"type": "record", "name": "N", "fields": [{"name": "id", "type": "long"}, tags]})
    (folder / "a.jsonl").write_text(
        '{"id":1,"tags":["a","b"]}\n{"id":2,"tags":"a"}\n{"id":3,"tags":[],"w":1}\n{"id":4}\n'
    )
    staged = stage(Files(folder).find(), Reading("jsonl", "row", schema=schema), tmp_path / "copies")
    assert staged.whole.read(0, 9).to_pylist() == [{"id": 1, "tags": ["a", "b"]}]
    assert [(one.aside.line, one.aside.reason) for one in staged.read_aside()] == [
        *((2, "wrong_type"), (3, "further_member"), (4, "missing_member")),
    ]


def test_parquet_has_its_types_already_and_loses_nothing(folder, tmp_path):
    table = pa.table(
        {
            "n": pa.array([1, 2, None], pa.int32()),
            "at": pa.array([1_000, 2_001, 3_000], pa.timestamp("us", "UTC")),
            "word": pa.array(["x", None, "x"]).dictionary_encode(),
        }
    )
    pq.write_table(table, folder / "a.parquet")
    inferred = stage(Files(folder).find(), Reading("parquet", "row"), tmp_path / "copies")
    assert inferred.whole.read(0, 9).to_pylist() == table.to_pylist()
    assert [field["type"] for field in json.loads(inferred.index.contract)["fields"]] == [
        *(["null", "int"], {"type": "long", "logicalType": "timestamp-micros"}, ["null", "string"]),
    ]
    by_schema = stage(Files(folder).find(), Reading("parquet", "row", schema=SCHEMA), tmp_path / "copies")
    assert by_schema.whole.read(0, 9).column("n").to_pylist() == [1]
    assert [(one.aside.line, one.aside.reason) for one in by_schema.read_aside()] == [
        (2, "wrong_type"),
        (3, "empty_field"),
    ]
    (folder / "b.parquet").write_text("no")
    with pytest.raises(Misconfigured, match="the file is not Parquet"):
        stage(Files(folder).find(), Reading("parquet", "row"), tmp_path / "copies")
