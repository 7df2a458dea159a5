"""What may be asked of the feeds that come with the project: where their files are, and how those are written."""

from __future__ import annotations

from producer.scenarios.options import Option

FOLDER, PREFIX, SUFFIX = "folder", "prefix", "suffix"
SPEED, LONGEST_GAP, CLOCK_FROM = "speed", "longest_gap", "clock_from"
ALONGSIDE, ORDER = "alongside", "order"
FILE_ORDER, TIME_ORDER = "file", "time"
FORMATS = ("csv", "jsonl", "parquet")
COMPRESSIONS = ("none", "gzip", "zstd")
CLICKS_PREFIX, ARTICLES_PREFIX, CSV_SUFFIX = "clicks_hour_", "articles_metadata", ".csv"

_WHERE = Option(
    FOLDER,
    str,
    "Folder that the files are in. A run that goes on may find the same files in another one.",
    title="Folder of the files",
    place=True,
)


def _options(prefix: str) -> tuple[Option, ...]:
    return (
        _WHERE,
        Option(PREFIX, str, "What the names of the files begin with.", default=prefix, title="Names begin with"),
        Option(
            SUFFIX,
            str,
            "What the names end with; .gz or .zst may follow.",
            default=CSV_SUFFIX,
            title="Names end with",
        ),
        Option(
            "data_format",
            str,
            "How the files are written; by their names unless given.",
            title="Format of the files",
            choices=FORMATS,
        ),
        Option(
            "compression",
            str,
            "How the files are compressed; by their content unless given.",
            title="Compression",
            choices=COMPRESSIONS,
        ),
        Option("encoding", str, "Encoding of the text: utf-8, utf-16, latin-1 ...", default="utf-8"),
        Option("delimiter", str, "What stands between two fields of CSV; 'tab' is one.", default=","),
        Option("quote", str, "What fields of CSV are quoted with; 'none' is nothing.", default='"'),
    )


# When rows are sent that say when they happened.
TIMING = (
    Option(
        SPEED,
        float,
        "How many times as fast as it happened: 1 is the original timing, 60 an hour in a minute. Instead of a rate.",
        title="Times as fast as it happened",
        least=0.0001,
        most=1e9,
        own_times=True,
    ),
    Option(
        LONGEST_GAP,
        float,
        "With a speed: seconds of event time; where nothing happened for longer, the rest is left out.",
        title="Longest gap",
        above=0,
    ),
    Option(
        CLOCK_FROM,
        str,
        "With a speed: the event time at which the clock begins, such as 2017-10-01T03:00:00Z; what is earlier is sent "
        "at once. The earliest of all unless given.",
        title="The clock begins at",
    ),
    Option(
        ALONGSIDE,
        str,
        "With a speed: other feeds that share the clock, with commas between them: names, or files of scenarios.",
        title="Clock shared with",
        place=True,
    ),
    Option(
        ORDER,
        str,
        "In which order rows are sent: that of the files, or of their event times within a shard.",
        default=FILE_ORDER,
        choices=(FILE_ORDER, TIME_ORDER),
    ),
)
CLICKS = (*_options(CLICKS_PREFIX), *TIMING)
ARTICLES = (*_options(ARTICLES_PREFIX), *TIMING)
# A file scenario says all of it itself, but the files may lie elsewhere.
OF_A_FILE = (_WHERE, *TIMING)
