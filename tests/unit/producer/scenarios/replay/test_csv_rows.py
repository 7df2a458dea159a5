"""What is taken of a file of CSV is what Python's strict reader of CSV gives; all else is set aside, byte for byte."""

from __future__ import annotations

import csv
import gzip
import io

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.errors import Misconfigured
from producer.scenarios.replay.rows import MOST_ROW_BYTES
from tests.kit.depth import examples

HEADER = b"a,b,c\n"


def physical(content: bytes) -> list[bytes]:
    parts = content.split(b"\n")
    lines = [part + b"\n" for part in parts[:-1]]
    return [*lines, parts[-1]] if parts[-1] else lines


def oracle(content: bytes, width: int) -> tuple[list[tuple[int, list[str], bytes]], list[tuple[int, bytes]]]:
    """Return the rows of lines with their numbers and bytes, and the others: Python's csv, begun anew at each error."""
    lines = physical(content)
    rows, others, at = [], [], 0
    while at < len(lines):
        rest = lines[at:]
        reader = csv.reader(io.StringIO(b"".join(rest).decode("utf-8", "surrogateescape"), newline="\n"), strict=True)
        try:
            row, used = next(reader), reader.line_num
        except csv.Error:
            others.append((at + 1, lines[at]))
            at += 1
            continue
        raw = b"".join(lines[at : at + used])
        sound = len(row) == width and not any("\0" in value or not is_text(value) for value in row)
        if sound and is_utf8(raw):
            rows.append((at + 1, row, raw))
        else:
            others.append((at + 1, raw))
        at += used
    return rows, others


def is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def is_utf8(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True


# What makes a difference to a reader of CSV, and little else.
PIECES = st.sampled_from(
    [b"a", b"1", b",", b",,", b'"', b'""', b'","', b"\n", b"\r\n", b"\r", b" ", b"\0", b"\xff", "é".encode(),
     b"x,y,z\n", b'"p\nq",2,3\n', b"1,2,3\n", b"\xef\xbb\xbf"]
)  # fmt: skip
CONTENT = st.lists(PIECES, max_size=40).map(b"".join)


@given(content=CONTENT, chunk=st.sampled_from([7, 23, 1 << 20]), fast=st.booleans())
@settings(max_examples=examples(300), deadline=None)
def test_rows_taken_and_rows_set_aside_are_the_rows_of_the_file_whatever_stands_in_it(read_csv, content, chunk, fast):
    found = read_csv(HEADER + content, chunk_bytes=chunk, fast=fast)
    rows, others = oracle(content, 3)
    assert found.rows == [tuple(row) for _, row, _ in rows]
    assert found.lines == [line + 1 for line, _, _ in rows]
    assert found.raws == [raw for _, _, raw in rows]
    assert [(line, raw) for line, _, raw in found.told] == [(line + 1, raw) for line, raw in others]
    both = sorted([*zip(found.lines, found.raws, strict=True), *((line, raw) for line, _, raw in found.told)])
    assert HEADER + b"".join(raw for _, raw in both) == HEADER + content


FIELDS = st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=12)


@given(
    rows=st.lists(st.tuples(FIELDS, FIELDS, FIELDS), max_size=20),
    end=st.sampled_from(["\n", "\r\n"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    delimiter=st.sampled_from([",", ";", "\t", "§"]),
    chunk=st.sampled_from([11, 1 << 20]),
)
@settings(max_examples=examples(150), deadline=None)
def test_what_a_writer_of_csv_wrote_is_read_back(read_csv, rows, end, encoding, quoting, delimiter, chunk):
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator=end, quoting=quoting, delimiter=delimiter)
    writer.writerows([("a", "b", "c"), *rows])
    found = read_csv(
        text.getvalue().encode(encoding),
        encoding="utf-8" if encoding == "utf-8-sig" else encoding,
        delimiter=delimiter,
        chunk_bytes=chunk,
    )
    said = [row for row in rows if row != ("a", "b", "c")]
    assert (found.header, found.rows) == (["a", "b", "c"], said)
    assert {one.reason for one in found.aside} <= {"repeated_header"}


@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"1,2\n", (2, "too_few_fields", b"1,2\n")),
        (b"1,2,3,4\r\n", (2, "too_many_fields", b"1,2,3,4\r\n")),
        (b"1,2,3\n\n", (3, "blank_line", b"\n")),
        (b"1,2,3\n\r\n4,5,6\n", (3, "blank_line", b"\r\n")),
        (b"1,2,\xff\n", (2, "encoding", b"1,2,\xff\n")),
        (b'1,"\xff\n",3\n', (2, "encoding", b'1,"\xff\n",3\n')),
        (b"1,2,\0\n", (2, "nul", b"1,2,\0\n")),
        (b'1,"2"x,3\n', (2, "broken_quotes", b'1,"2"x,3\n')),
        (b'1,"2,3\n4,5,6\n', (2, "quote_not_closed", b'1,"2,3\n')),
        (b"1,2,3\r4,5,6\n", (2, "carriage_return", b"1,2,3\r4,5,6\n")),
        (b"a,b,c\n", (2, "repeated_header", b"a,b,c\n")),
        (b"1,2," + b"x" * MOST_ROW_BYTES + b"\n1,2,3\n", (2, "too_long", b"1,2," + b"x" * MOST_ROW_BYTES + b"\n")),
    ],
)
def test_what_cannot_be_taken_is_set_aside_with_its_line_its_reason_and_its_bytes(read_csv, fast, content, told):
    found = read_csv(HEADER + content, fast=fast)
    assert found.told == [told]
    # What stands beside it is taken.
    assert found.rows in ([], [("1", "2", "3")], [("4", "5", "6")], [("1", "2", "3"), ("4", "5", "6")])


def test_a_quote_that_is_never_closed_costs_its_line_and_no_other(read_csv):
    rest = b"".join(b"%d,2,3\n" % number for number in range(110_000))
    assert len(rest) > MOST_ROW_BYTES
    found = read_csv(HEADER + b'x,"y,z\n' + rest, chunk_bytes=1 << 19)
    assert found.told == [(2, "too_long", b'x,"y,z\n')]
    assert [row[0] for row in found.rows] == [str(number) for number in range(110_000)]


def test_a_line_that_is_longer_than_memory_allows_is_set_aside_in_parts(read_csv):
    long = b"x" * (3 * MOST_ROW_BYTES) + b"\n"
    found = read_csv(HEADER + b"1,2,3\n" + long + b"4,5,6\n", chunk_bytes=MOST_ROW_BYTES)
    assert found.rows == [("1", "2", "3"), ("4", "5", "6")]
    assert found.lines == [2, 4]
    assert {(one.line, one.reason) for one in found.aside} == {(3, "too_long")}
    assert [one.part for one in found.aside] == list(range(len(found.aside)))
    assert len(found.aside) > 1
    assert b"".join(one.raw for one in found.aside) == long


def zstd(content: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(content)
    return sink.getvalue().to_pybytes()


PACK = {"gzip": gzip.compress, "zstd": zstd}
SKIPPED_FRAME = b"\x50\x2a\x4d\x18\x04\0\0\0skip"


@pytest.mark.parametrize("packed", PACK)
def test_a_packed_file_that_is_cut_off_gives_its_rows_and_says_where_it_ends(read_csv, packed):
    whole = HEADER + b"".join(b"%d,%d,x\n" % (number, number * 7919) for number in range(50_000))
    content = PACK[packed](whole)
    assert read_csv(content, compression=None).aside == []
    found = read_csv(content[: len(content) // 2], compression=None)
    assert [one.reason for one in found.aside] == ["truncated"]
    assert 0 < len(found.rows) < 50_000
    assert found.aside[0].line == len(found.rows) + 2
    assert whole.startswith(HEADER + b"".join(found.raws) + found.aside[0].raw)


@pytest.mark.parametrize("packed", PACK)
@pytest.mark.parametrize("behind", ["garbage", "cut", "begun"])
def test_what_is_whole_before_a_damage_is_taken_however_short_it_is(read_csv, packed, behind):
    pack = PACK[packed]
    more = pack(b"7,8,9\n")
    damaged = pack(HEADER + b"1,2,3\n") + {"garbage": b"garbage", "cut": more[:-3], "begun": more[:3]}[behind]
    found = read_csv(damaged, compression=None)
    assert found.rows[0] == ("1", "2", "3")
    assert [one.reason for one in found.aside] == ["truncated"]
    assert found.aside[0].line == len(found.rows) + 2


def test_where_a_checksum_differs_the_rows_before_are_said_to_be_in_doubt(read_csv):
    content = bytearray(gzip.compress(HEADER + b"1,2,3\n"))
    content[-6] ^= 1
    (told,) = read_csv(bytes(content), compression=None).aside
    assert told.detail.endswith("; rows before it may be damaged too")


@pytest.mark.parametrize("packed", PACK)
def test_a_file_may_be_packed_in_parts(read_csv, packed):
    pack = PACK[packed]
    between = SKIPPED_FRAME if packed == "zstd" else pack(b"")
    content = between + pack(HEADER + b"1,2") + between + pack(b",3\n") + between
    found = read_csv(content, compression=None)
    assert (found.rows, found.aside) == ([("1", "2", "3")], [])


@pytest.mark.parametrize("fast", [True, False])
def test_the_header_again_is_one_with_the_mark_of_another_file(read_csv, fast):
    mark = b"\xef\xbb\xbf"
    found = read_csv(mark + HEADER + b"1,2,3\n" + mark + HEADER + b"4,5,6\n", fast=fast)
    assert found.rows == [("1", "2", "3"), ("4", "5", "6")]
    assert found.told == [(3, "repeated_header", mark + HEADER)]


@pytest.mark.parametrize(
    ("content", "header"),
    [
        (b"\xef\xbb\xbfa,b\n1,2\n", ["a", "b"]),
        (b'"a\nb",c\n1,2\n', ["a\nb", "c"]),
        (b"", None),
        (b"a,b", ["a", "b"]),
    ],
)
def test_the_first_record_names_the_columns(read_csv, content, header):
    assert read_csv(content).header == header


@pytest.mark.parametrize(
    ("content", "more", "told"),
    [
        (b"\n1,2\n", {}, "its first line is blank"),
        (b"a,a\n", {}, "names 'a' twice"),
        (b"a,\0\n", {}, "holds a NUL"),
        (b"a,\xff\n", {}, "is not utf-8"),
        (b'"a\n', {}, "cannot be read"),
        ("a,b\n".encode("utf-16"), {}, "byte-order mark of utf-16-le"),
        (b"a,b\n", {"encoding": "utf-16"}, "no byte-order mark"),
        ("a,b\n".encode("utf-32"), {}, "byte-order mark of utf-32"),
        (b"a,b\r1,2\r", {}, "carriage return without a line feed"),
        (b"a;b\n1;2\n", {}, "one name that holds ';'"),
        (b"a,b\n1,2\n", {"delimiter": ";"}, "one name that holds ','"),
        (b"x" * (2 * MOST_ROW_BYTES), {}, "longer than a row may be"),
    ],
)
def test_a_file_without_a_header_is_refused_in_words(read_csv, content, more, told):
    with pytest.raises(Misconfigured, match=told) as refused:
        read_csv(content, **more)
    assert refused.value.where.endswith("rows.csv")


def test_a_file_without_a_header_is_read_by_the_names_that_are_given(read_csv):
    found = read_csv(b"\xef\xbb\xbf1,2\n3\n", names=("a", "b"))
    assert (found.header, found.rows) == (["a", "b"], [("1", "2")])
    assert read_csv(b"\xef\xbb\xbf1\n", names=("a", "b")).told == [(1, "too_few_fields", b"\xef\xbb\xbf1\n")]
    # One that has a header all the same is not read as a row.
    assert read_csv(b"a,b\n1,2\n", names=("a", "b")).rows == [("1", "2")]


def test_latin_1_is_read_by_its_name_and_a_line_of_it_set_aside_as_it_is(read_csv):
    content = "a,b\nä,ö\nü\n".encode("latin-1")
    found = read_csv(content, encoding="iso8859-1")
    assert (found.rows, found.told) == ([("ä", "ö")], [(3, "too_few_fields", b"\xfc\n")])
