"""What may be asked of the feeds that come with the project: where their files are, and how those are written."""

from __future__ import annotations

from producer.scenarios.options import Option

FOLDER, PREFIX, SUFFIX = "folder", "prefix", "suffix"
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


CLICKS = _options(CLICKS_PREFIX)
ARTICLES = _options(ARTICLES_PREFIX)
# A file scenario says all of it itself, but the files may lie elsewhere.
OF_A_FILE = (_WHERE,)
