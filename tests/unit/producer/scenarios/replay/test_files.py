"""Which files are found, in which order, and what is said where there are none."""

from __future__ import annotations

import os

import pytest

from cluster.errors import Misconfigured, StoreFailed
from producer.scenarios.replay.files import Files, readable
from producer.scenarios.replay.reading import (
    delimiter_named,
    encoding_named,
    format_named,
    quote_named,
)


def names(folder, prefix="clicks_hour_", suffix=".csv"):
    return [path.name for path in Files(folder, prefix, suffix).find()]


def test_numbers_in_names_count_as_numbers(folder):
    for name in ("clicks_hour_10.csv", "clicks_hour_2.csv", "clicks_hour_1.csv.gz", "clicks_hour_3.csv.zst"):
        (folder / name).touch()
    for name in ("articles.csv", ".clicks_hour_0.csv", "clicks_hour_4.txt", "clicks_hour_5.csv.part"):
        (folder / name).touch()
    (folder / "clicks_hour_6.csv").mkdir()
    assert names(folder) == ["clicks_hour_1.csv.gz", "clicks_hour_2.csv", "clicks_hour_3.csv.zst", "clicks_hour_10.csv"]


def test_the_beginning_and_the_end_of_a_name_do_not_overlap(folder):
    (folder / "ab.csv").touch()
    assert names(folder, "ab.c", "") == ["ab.csv"]
    with pytest.raises(Misconfigured, match=r"begins with 'ab\.c' and ends with '.csv'"):
        names(folder, "ab.c", ".csv")


def test_a_wrong_folder_says_what_there_is(folder):
    (folder / "hours").mkdir()
    for wrong, told in ((folder / "hour", "is not there"), (folder / "hours" / "x" / "y", "is not there")):
        with pytest.raises(Misconfigured, match=told):
            names(wrong)
    with pytest.raises(Misconfigured) as refused:
        names(folder / "hour")
    assert "there are the folders hours/" in refused.value.hint
    (folder / "file").touch()
    with pytest.raises(Misconfigured, match="is a file, not a folder"):
        names(folder / "file")


def test_a_folder_without_such_a_file_says_what_is_in_it(folder):
    with pytest.raises(Misconfigured) as refused:
        names(folder)
    assert refused.value.hint == "The folder is empty"
    for number in range(7):
        (folder / f"click_{number}.csv").touch()
    with pytest.raises(Misconfigured) as refused:
        names(folder)
    assert refused.value.hint.startswith("There is click_0.csv, click_1.csv")
    assert "2 more" in refused.value.hint


def test_any_name_has_an_order_and_can_be_written(folder):
    in_order = ["x\udcff.csv", "٣.csv", "1²3.csv", "12.csv"]
    for name in sorted(in_order):
        (folder / name).touch()
    assert names(folder, "") == in_order
    assert readable(in_order[0]) == r"x\xff.csv"


def test_a_link_that_leads_nowhere_is_told_and_not_left_out(folder):
    (folder / "clicks_hour_1.csv").touch()
    for number, target in enumerate(("nowhere", "clicks_hour_3.csv"), 2):
        link = folder / f"clicks_hour_{number}.csv"
        link.symlink_to(target)
        with pytest.raises(StoreFailed, match="the file cannot be read") as refused:
            names(folder)
        assert refused.value.where == str(link)
        link.unlink()
    (folder / "clicks_hour_2.csv").symlink_to("clicks_hour_1.csv")
    assert names(folder) == ["clicks_hour_1.csv", "clicks_hour_2.csv"]


def test_what_only_begins_like_a_file_of_them_is_named(folder):
    for name in ("clicks_hour_1.csv", "clicks_hour_2.CSV", "clicks_hour_3.csv.bz2", "articles.csv"):
        (folder / name).touch()
    (folder / "clicks_hour_4.csv").mkdir()
    os.mkfifo(folder / "clicks_hour_5.csv")
    left = ["clicks_hour_2.CSV", "clicks_hour_3.csv.bz2", "clicks_hour_4.csv", "clicks_hour_5.csv"]
    assert Files(folder, "clicks_hour_", ".csv").left_alone() == left
    assert Files(folder, "", ".csv").left_alone() == [], "any name begins so"


def test_a_folder_that_no_system_has_is_told(folder):
    with pytest.raises(Misconfigured, match="the folder of the replay is none"):
        names(folder / "a\0b")


def test_a_file_beside_the_same_packed_is_refused(folder):
    (folder / "clicks_hour_1.csv").touch()
    (folder / "clicks_hour_1.csv.gz").touch()
    with pytest.raises(Misconfigured, match=r"clicks_hour_1.csv and clicks_hour_1.csv.gz would both be replayed"):
        names(folder)
    assert names(folder, suffix=".csv.gz") == ["clicks_hour_1.csv.gz"]


def test_the_format_is_what_the_names_say(folder):
    paths = {name: folder / name for name in ("a.csv", "b.csv.gz", "c.jsonl", "d.ndjson.zst", "e.parquet", "f.log")}
    assert format_named(None, [paths["a.csv"], paths["b.csv.gz"]]) == "csv"
    assert format_named(None, [paths["c.jsonl"], paths["d.ndjson.zst"]]) == "jsonl"
    assert format_named(None, [paths["e.parquet"]]) == "parquet"
    assert format_named("csv", [paths["f.log"]]) == "csv"
    for wrong, told in (("f.log", "does not say how"), ("a.csv", "both csv and jsonl")):
        with pytest.raises(Misconfigured, match=told):
            format_named(None, [paths[wrong], paths["c.jsonl"]])


def test_words_of_reading_are_checked():
    assert [encoding_named(name) for name in ("UTF8", "utf-8-sig", "latin-1", "utf-16", "cp1252")] == [
        *("utf-8", "utf-8", "iso8859-1", "utf-16", "cp1252"),
    ]
    for wrong in ("utf-9", "utf-7", "shift_jis", "utf-32", "base64", "cp037"):
        with pytest.raises(ValueError, match=r"no encoding|line by line"):
            encoding_named(wrong)
    assert (delimiter_named("tab"), delimiter_named("|"), quote_named("none", ","), quote_named("'", ",")) == (
        *("\t", "|", None, "'"),
    )
    for wrong in ("", ",,", '"', "\n"):
        with pytest.raises(ValueError, match="delimiter"):
            delimiter_named(wrong)
    with pytest.raises(ValueError, match="quote"):
        quote_named(",", ",")
