"""Files as somebody's job leaves them: every row comes over once, and what is no row is an error with its file."""

from __future__ import annotations

import csv
import gzip
import json
import os
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cluster.errors import DataRejected, Misconfigured, StoreFailed, StreamproofError
from consumer.pipeline.stored.naming import stored_at
from consumer.pipeline.stored.object_store import ObjectStorePlace
from tests.kit.stored_rows import ReadPlace, read_place, rows_of

Files = Callable[[dict[str, Any]], Path]


@pytest.fixture
def files(tmp_path: Path) -> Files:
    """A folder of files: ``files({"a.csv": "a\\n1\\n", "b.parquet": "SELECT 1 AS a"})``."""

    def make(content: dict[str, Any]) -> Path:
        for name, held in content.items():
            path = tmp_path / "out" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if name.endswith(".parquet") and isinstance(held, str):
                duckdb.sql(held).write_parquet(str(path))
            else:
                raw = held.encode() if isinstance(held, str) else held
                path.write_bytes(gzip.compress(raw) if name.endswith(".gz") and isinstance(held, str) else raw)
        return tmp_path / "out"

    return make


def read(where: object, *columns: str, **how: bool) -> ReadPlace:
    return read_place(stored_at(str(where)), columns or None, **how)


def refusal(kind: type[StreamproofError], where: object) -> str:
    with pytest.raises(kind) as caught:
        read(where)
    return str(caught.value)


def test_a_folder_as_spark_leaves_it_is_read_with_its_folders_as_columns(files: Files) -> None:
    folder = files(
        {
            "_SUCCESS": "",
            "._SUCCESS.crc": "",
            "_temporary/0/part-9.parquet": "SELECT 9 AS a",
            "dt=2026-01-01/part-0.snappy.parquet": "SELECT 1 AS a",
            "dt=2026-01-01/.part-0.snappy.parquet.crc": "",
            "dt=x%20y/part-1.parquet": "SELECT 2 AS a",
            "dt=__HIVE_DEFAULT_PARTITION__/part-2.parquet": "SELECT 3 AS a",
        }
    )
    found = read(folder, "a", "dt", located=True)
    assert sorted((row["a"], row["dt"], row["_where"]) for row in found.rows) == [
        (1, "2026-01-01", "dt=2026-01-01/part-0.snappy.parquet row 1"),
        (2, "x y", "dt=x%20y/part-1.parquet row 1"),
        (3, None, "dt=__HIVE_DEFAULT_PARTITION__/part-2.parquet row 1"),
    ]
    assert found.notes == ["hidden files passed over (names with . or _ in front): 4"]
    assert found.declared["dt"] == "folder"


def test_parquet_files_of_several_schemas_share_columns_that_hold_them_all(files: Files) -> None:
    folder = files(
        {
            "a.parquet": "SELECT 1::INTEGER AS n, 'x' AS text, {'z': 1} AS inside, 1.5::DECIMAL(4,2) AS d",
            "b.parquet": "SELECT true AS text, (1::BIGINT << 40) AS N, {'z': 2, 'y': 'y'} AS inside, 'far' AS more",
        }
    )
    found = read(folder)
    assert found.rows == [
        {"n": 1, "text": "x", "inside": {"z": 1, "y": None}, "d": Decimal("1.50"), "more": None},
        {"n": 1 << 40, "text": "true", "inside": {"z": 2, "y": "y"}, "d": None, "more": "far"},
    ]
    assert found.types["n"] == "BIGINT"


def test_parquet_keeps_its_types(files: Files) -> None:
    query = """
        SELECT 9007199254740993 AS big, 0.1::DECIMAL(38,20) AS decimal, TIMESTAMP '2026-01-01 00:00:00.000001' AS ts,
               TIMESTAMPTZ '2026-01-01 00:00:00+00' AS tz, 'x'::BLOB AS raw, [1, NULL] AS list, MAP {'k': 1} AS map,
               DATE '2026-01-01' AS day, uuid() AS id, 'a'::ENUM('a', 'b') AS choice, 1::HUGEINT AS huge
    """
    found = read(files({"a.parquet": query}))
    assert found.types == {
        "big": "BIGINT",
        "decimal": "DECIMAL(38,20)",
        "ts": "TIMESTAMP",
        "tz": "TIMESTAMP WITH TIME ZONE",
        "raw": "BLOB",
        "list": "INTEGER[]",
        "map": "MAP(VARCHAR, INTEGER)",
        "day": "DATE",
        "id": "UUID",
        "choice": "VARCHAR",
        "huge": "DOUBLE",  # what Parquet has for it
    }


def test_large_files_come_in_tables_each_row_once(files: Files) -> None:
    folder = files({"a.parquet": "SELECT range AS n, [range] AS l, 'v' || range AS v FROM range(300000)"})
    found = read(folder)
    assert sorted(found.column("n")) == list(range(300_000))
    assert all(row["l"] == [row["n"]] and row["v"] == f"v{row['n']}" for row in found.rows)


def test_names_of_files_that_look_like_patterns_are_read(files: Files) -> None:
    folder = files({"a[1]*?'.parquet": "SELECT 1 AS a", "a.parquet": "SELECT 2 AS a"})
    assert sorted(read(folder).column("a")) == [1, 2]
    assert read(folder / "a[1]*?'.parquet").column("a") == [1]


@pytest.mark.parametrize(
    ("pattern", "rows"),
    [("*.csv", ["1"]), ("**/*.csv", ["1", "2"]), ("d*", ["2"]), ("?.csv", ["1"]), ("d/b.csv", ["2"]), ("", ["1", "2"])],
)
def test_a_pattern_names_files(files: Files, pattern: str, rows: list[str]) -> None:
    folder = files({"a.csv": "v\n1\n", "d/b.csv": "v\n2\n"})
    assert sorted(read(folder / pattern if pattern else folder).column("v")) == rows


def test_csv_is_text_in_columns_by_their_names(files: Files) -> None:
    folder = files(
        {
            "a.csv": 'id,text\n1,"x\r\ny"\n2,"q""q, é"\n\n3,\n4,""\n',
            "b.csv.gz": "\ufeffTEXT;id;more\nt;5;,\n",
            "c.csv": "id|text\n6|NULL",
        }
    )
    found = read(folder, located=True)
    assert [list(row.values()) for row in found.rows] == [
        ["1", "x\r\ny", None, "a.csv row 1"],
        ["2", 'q"q, é', None, "a.csv row 2"],
        ["3", None, None, "a.csv row 3"],
        ["4", None, None, "a.csv row 4"],
        ["5", "t", ",", "b.csv.gz row 1"],
        ["6", "NULL", None, "c.csv row 1"],
    ]
    with stored_at(str(folder)).open() as opened:
        assert [(c.type, c.says_null) for c in opened.columns] == [("VARCHAR", False)] * 3


def test_tabs_belong_to_tsv(files: Files) -> None:
    assert read(files({"a.tsv": "a,b\tc\n1,2\t3\n"})).rows == [{"a,b": "1,2", "c": "3"}]


def test_one_column_may_have_empty_lines(files: Files) -> None:
    assert read(files({"a.csv": "a\n1\n\n2\n"})).column("a") == ["1", None, "2"]


def test_a_column_that_a_csv_file_lacks_is_null_in_its_rows(files: Files) -> None:
    folder = files({"a.csv": "a,b\n1,2\n", "b.csv": "b\n3\n"})
    assert read(folder).rows == [{"a": "1", "b": "2"}, {"a": None, "b": "3"}]


BROKEN = {
    "a.parquet": (StoreFailed, b"PAR1 and then nothing", "a.parquet"),
    "empty.parquet": (StoreFailed, b"", "empty.parquet"),
    "cut.csv.gz": (StoreFailed, gzip.compress(b"a,b\n" + os.urandom(9000).hex().encode())[:-2000], "cut off"),
    "tail.csv.gz": (StoreFailed, gzip.compress(b"a,b\n1,2\n")[:-8], "cut off"),
    "plain.csv.gz": (StoreFailed, b"a,b\n1,2\n", "plain.csv.gz"),
    "short.csv": (DataRejected, b"a,b\n1,2\n3\n", "row 2 has 1 fields, and the header 2"),
    "long.csv": (DataRejected, b"a,b\n1,2,secret\n", "row 1 has 3 fields"),
    "open.csv": (DataRejected, b'a,b\n1,2\n3,"secret\n4,5\n', "open.csv"),
    "escaped.csv": (DataRejected, b'a,b\n1,"secret\\"x"\n', "not CSV"),
    "latin.csv": (DataRejected, b"a,b\n1,\xe9secret\n", "not UTF-8"),
    "blank.csv": (Misconfigured, b"", "no header"),
    "numbers.csv": (Misconfigured, b"1,2\n3,4\n", "no header"),
    "ids.csv": (Misconfigured, b"f81d4fae-7dec-8000-8000-00a0c91e6bf6,x\n", "no header"),
    "twice.csv": (Misconfigured, b"a,A\n1,2\n", "one name twice"),
    "half.jsonl": (DataRejected, b'{"a": 1}\n{"a": "sec', "object 2 is no row"),
    "list.jsonl": (DataRejected, b'{"a": 1}\n[1]\n', "object 2 is no row"),
    "twice.jsonl": (DataRejected, b'{"a": 1, "a": 2}\n', "one member twice"),
    "bytes.jsonl": (DataRejected, b'{"a": "\xff"}\n', "not UTF-8"),
    "surrogate.jsonl": (DataRejected, b'{"a": "\\ud800"}\n', "surrogate"),
    "half.json": (DataRejected, b'[{"a": 1}, {"a"', "not one JSON array"),
    "two.json": (DataRejected, b'[{"a": 1}] [', "not one JSON array"),
    "values.json": (DataRejected, b"[1]", "no row"),
    "cut.jsonl.gz": (StoreFailed, gzip.compress(os.urandom(9000).hex().encode())[:-2000], "cut off"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_an_error_that_names_it_and_shows_no_value(files: Files, name: str) -> None:
    kind, raw, says = BROKEN[name]
    said = refusal(kind, files({name: raw}) / name)
    assert name in said
    assert says in said
    assert "sec" not in said


@pytest.mark.parametrize("cut", [0.1, 0.5, 0.9, 0.999])
def test_a_half_written_parquet_file_among_others_is_named(files: Files, cut: float) -> None:
    folder = files({"a.parquet": "SELECT range AS n FROM range(10000)", "b.parquet": "SELECT 1::BIGINT AS n"})
    whole = (folder / "a.parquet").read_bytes()
    (folder / "a.parquet").write_bytes(whole[: int(len(whole) * cut)])
    assert "a.parquet" in refusal(StoreFailed, folder)


def test_damage_inside_a_parquet_file_is_named(files: Files) -> None:
    folder = files({"a.parquet": "SELECT range AS n, 'v' || range AS v FROM range(10000)"})
    whole = bytearray((folder / "a.parquet").read_bytes())
    whole[100:2000] = b"\xff" * 1900
    (folder / "a.parquet").write_bytes(whole)
    assert "a.parquet" in refusal(StreamproofError, folder)


def test_there_must_be_data_of_one_kind(files: Files, tmp_path: Path) -> None:
    folder = files({"a.csv": "a\n1\n", "b.jsonl": "{}\n", "c/d.parquet": "SELECT 1 AS a"})
    assert "1 CSV (a.csv), 1 JSON lines (b.jsonl), 1 Parquet (c/d.parquet)" in refusal(Misconfigured, folder)
    (tmp_path / "empty").mkdir()
    assert "no file of data" in refusal(Misconfigured, tmp_path / "empty")
    (tmp_path / "empty" / "notes.txt").write_text("x")
    assert "notes.txt is of no kind that is known" in refusal(Misconfigured, tmp_path / "empty")
    assert "no file of data" in refusal(Misconfigured, folder / "*.parquet")
    assert "did you mean a.csv" in refusal(Misconfigured, folder / "a.cvs")


def test_files_of_another_kind_are_passed_over_and_told(files: Files) -> None:
    found = read(files({"a.csv": "a\n1\n", "readme.txt": "x", "a.csv.inprogress": "a\n2\n"}))
    assert found.notes == ["files of another kind passed over: a.csv.inprogress, readme.txt"]


@pytest.mark.parametrize("log", ["_delta_log", ".hoodie"])
def test_a_folder_whose_log_says_what_counts_is_refused(files: Files, log: str) -> None:
    folder = files({f"{log}/0.json": "{}", "a.parquet": "SELECT 1 AS a"})
    assert "its log says which files count" in refusal(Misconfigured, folder)


def test_what_changes_while_it_is_read_is_told(files: Files) -> None:
    folder = files({"a.csv": "a\n1\n", "b.csv": "a\n2\n", "c.csv": "a\n3\n"})
    with stored_at(str(folder)).open() as opened:
        assert opened.changed() == ""
        (folder / "a.csv").unlink()
        (folder / "b.csv").write_text("a\n22\n")
        (folder / "d.csv").write_text("a\n4\n")
        assert opened.changed() == "new: d.csv; gone: a.csv; changed: b.csv"
        with pytest.raises(StoreFailed, match=r"a\.csv"):
            rows_of(opened)
        for path in folder.iterdir():
            path.unlink()
        assert opened.changed()


def test_a_file_that_was_replaced_by_one_of_the_same_size_and_time_has_changed(files: Files) -> None:
    folder = files({"a.csv": "a\n1\n"})
    with stored_at(str(folder / "a.csv")).open() as opened:
        before = (folder / "a.csv").stat()
        (folder / "new").write_text("a\n2\n")
        os.utime(folder / "new", ns=(before.st_atime_ns, before.st_mtime_ns))
        (folder / "new").rename(folder / "a.csv")
        assert opened.changed() == "changed: a.csv"


def test_json_is_read_without_losing_a_digit(files: Files) -> None:
    lines = [
        '{"id": 9007199254740993, "p": 0.1000000000000000055, "t": "a\\u0000b", "n": {"x": [1.10, 1e400]}}',
        "",
        '{"p": "0.1", "b": true, "z": null}',
    ]
    found = read(files({"a.jsonl": "\n".join(lines), "b.json": '[ {"id": -0.0},\n{"id": "x"} ]\n'}), located=True)
    assert [list(row.values()) for row in found.rows] == [
        ["9007199254740993", "0.1000000000000000055", "a\0b", '{"x": [1.10, 1e400]}', None, None, "a.jsonl row 1"],
        [None, "0.1", None, None, "true", None, "a.jsonl row 2"],
        ["-0.0", *[None] * 5, "b.json row 1"],
        ["x", *[None] * 5, "b.json row 2"],
    ]
    assert found.declared["p"] == "json number or string"


def test_columns_are_given_as_they_are_asked_for(files: Files) -> None:
    for name, held in {"a.csv": "a,b\n1,2\n", "a.jsonl": '{"a":1,"b":2}', "a.parquet": "SELECT 1 AS a, 2 AS b"}.items():
        path = files({name: held}) / name
        assert list(read(path, "b", "a").rows[0]) == ["b", "a"]
        with stored_at(str(path)).open() as opened:
            assert len(rows_of(opened, [])) == 1
            with pytest.raises(Misconfigured, match="no column A, did you mean a"):
                rows_of(opened, ["A"])


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abé ", max_size=3), inner, max_size=3),
    max_leaves=6,
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(rows=st.lists(st.dictionaries(st.sampled_from(["a", "b", "c"]), json_values), min_size=1, max_size=8))
def test_any_json_comes_back_as_it_was_written(tmp_path_factory: pytest.TempPathFactory, rows: list[Any]) -> None:
    path = tmp_path_factory.mktemp("json") / "rows.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    found = read(path)
    assert len(found.rows) == len(rows)
    for told, row in zip(found.rows, rows, strict=True):
        for name, value in row.items():
            shown = told[name]
            assert shown == value if isinstance(value, str) or value is None else json.loads(shown) == value


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    rows=st.lists(
        st.tuples(*[st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))] * 2), max_size=8
    )
)
def test_any_text_in_csv_comes_back(tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]]) -> None:
    path = tmp_path_factory.mktemp("csv") / "rows.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL).writerows([("a", "b"), *rows])
    assert [(row["a"] or "", row["b"] or "") for row in read(path).rows] == rows


def test_a_link_to_nothing_is_said(files: Files) -> None:
    folder = files({"a.csv": "a\n1\n"})
    (folder / "b.csv").symlink_to(folder / "gone.csv")
    assert "b.csv is a link to nothing" in refusal(Misconfigured, folder)


def test_folders_behind_links_are_read_once(files: Files) -> None:
    folder = files({"d/a.csv": "a\n1\n"})
    (folder / "d" / "round").symlink_to(folder)
    (folder / "again").symlink_to(folder / "d")
    assert read(folder).column("a") == ["1"]


@pytest.mark.parametrize("how", ["folder", "parquet", "csv"])
def test_what_may_not_be_read_is_an_error_and_never_left_out(
    files: Files, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    folder = files({"d/a.parquet": "SELECT 1 AS a"} if how == "parquet" else {"d/a.csv": "a\n1\n", "b.csv": "a\n2\n"})

    def refused(*_: Any, **__: Any) -> Any:
        raise PermissionError(13, "Permission denied", str(folder / "d"))

    if how == "parquet":
        monkeypatch.setattr(
            "consumer.pipeline.stored.files.parquet._READ", "error('Cannot open file: Permission denied') AS t({path})"
        )
        said = refusal(StreamproofError, folder)
    else:
        monkeypatch.setattr("os.scandir" if how == "folder" else "pathlib.Path.open", refused)
        said = refusal(StoreFailed, folder)
        assert "Permission denied" in said
    assert str(folder) in said or "a.parquet" in said


def test_an_object_store_needs_the_extension_that_is_not_installed_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert "httpfs is not installed, and nothing is installed here" in refusal(Misconfigured, "s3://b/x/*.parquet")


def test_many_small_files_are_read(files: Files) -> None:
    folder = files({f"p={n % 7}/part-{n}.csv": f"n\n{n}\n" for n in range(300)})
    assert sorted(map(int, read(folder).column("n"))) == list(range(300))


def test_a_large_field_is_one_value(files: Files) -> None:
    text = "x" * 3_000_000
    assert read(files({"a.csv": f"a,b\n1,{text}\n2,y\n"}) / "a.csv").column("b") == [text, "y"]
    assert read(files({"a.jsonl": json.dumps({"b": text})}) / "a.jsonl").column("b") == [text]


def test_a_csv_file_of_no_bytes_has_no_rows(files: Files) -> None:
    assert read(files({"a.csv": "", "b.csv": "a\n1\n", "c.csv": "a\n"})).column("a") == ["1"]


def test_an_object_store_is_read_as_a_folder_is(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    """DuckDB reads both by the same functions: here, paths stand for addresses."""
    folder = files(
        {
            "dt=1/a.parquet": "SELECT 1 AS a",
            "dt=2/b.parquet": "SELECT 2 AS a",
            "_temporary/c.parquet": "SELECT 3 AS a",
            "d.csv": "a\n4\n",
        }
    )
    monkeypatch.setattr("consumer.pipeline.stored.object_store._reach", lambda session: None)
    with ObjectStorePlace(str(folder)).open() as opened:
        assert sorted((row["a"], row["dt"]) for row in rows_of(opened)) == [(1, "1"), (2, "2")]
        assert opened.notes() == [
            "hidden files passed over (names with . or _ in front): 1",
            "files of another kind passed over: d.csv",
        ]
        assert opened.changed() == ""
        (folder / "dt=1" / "a.parquet").unlink()
        assert opened.changed() == "gone: dt=1/a.parquet"
    for where in (folder / "*.parquet", folder / "nothing"):
        with pytest.raises(Misconfigured), ObjectStorePlace(str(where)).open():
            pass
