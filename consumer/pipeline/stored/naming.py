"""From the text that names a place to the place.

==========================================  =============================================================
text                                        place
==========================================  =============================================================
``postgresql://user@host/db#schema.table``  a table or a view; without ``#``, beside a query
``file.duckdb#schema.table``                the same in a DuckDB file
``folder``, ``folder/*.parquet``, a file    files: Parquet, CSV, JSON lines
``s3://bucket/folder/*.parquet``            Parquet in an object store
``kafka:topic``                             a topic
``lake:folder``                             the audited topic in a lake of ours
``delta:folder``                            the newest version of a table of Delta Lake
==========================================  =============================================================

No secret may stand in it, and where one may, nothing of the text is repeated.
"""

from __future__ import annotations

import re
from pathlib import Path

from cluster.connection import Connection
from cluster.errors import Misconfigured
from cluster.text.names import check_topic_name
from consumer.pipeline.stored import StoredPlace
from consumer.pipeline.stored.duckdb_file import DuckdbPlace, is_database
from consumer.pipeline.stored.files.place import FilesPlace
from consumer.pipeline.stored.table_name import TableName, read_table_name
from consumer.pipeline.stored.topic import TopicPlace
from consumer.sinks.postgres.place import SCHEMES, Address, address_of, is_address

KAFKA = "kafka:"
LAKE, DELTA = "lake:", "delta:"
S3 = "s3://"
_DATABASES = (".duckdb", ".ddb", ".db")
_TABLE = re.compile(r'#((?:"(?:[^"]|"")*"|[^"#])*)$')
_LOGIN = re.compile(r".*:.*@|.*://", re.DOTALL)
_SECRETS = ("password", "sslpassword")
FORMS = "postgresql://user@host/db#schema.table, file.duckdb#table, folder/*.parquet, lake:DIR, delta:DIR, kafka:topic"


def stored_at(
    text: str,
    *,
    query: str | None = None,
    connection: Connection | None = None,
    address: Address | None = None,
    topic: str = "",
) -> StoredPlace:
    """Return the place that a text names; nothing is opened.

    :param query: one SELECT, instead of a table of PostgreSQL or of a DuckDB file.
    :param connection: the cluster of ``kafka:topic``.
    :param address: a database of PostgreSQL that was told by other means: the text then is a table of it, or empty.
    :param topic: the topic that is audited: which one of ``lake:folder`` is meant.
    :raises Misconfigured: it names none, or has a secret in it.
    """
    text = text.strip()
    if query is not None and not query.strip():
        raise Misconfigured("the query is empty")
    if address is not None:
        return _in_database(address, text.removeprefix("#") or None, query)
    if text.startswith(KAFKA):
        _refuse_query(query, "a topic")
        topic = text.removeprefix(KAFKA).strip()
        if "@" in topic or "/" in topic:  # an address, which may hold a password
            raise Misconfigured(
                "behind kafka: is no name of a topic", hint="Its cluster is told by --bootstrap-servers"
            )
        check_topic_name(topic, where="kafka:topic")
        if connection is None:
            raise Misconfigured("no address of Kafka is known", where=text, hint="Give --bootstrap-servers")
        return TopicPlace(connection, topic)
    if text.startswith((LAKE, DELTA)):
        _refuse_query(query, "a folder of which a list says what counts")
        return _in_lake(text, topic)
    if text.startswith(S3):
        _refuse_query(query, "files")
        return _in_object_store(text)
    if is_address(text):
        return _by_address(text, query)
    _refuse_secret(text)
    if not text:
        raise Misconfigured("the place is empty", hint=f"Give {FORMS}")
    return _in_files(text, query)


def _by_address(text: str, query: str | None) -> StoredPlace:
    url, table = _split(text)
    if not url.startswith(SCHEMES):
        raise Misconfigured("the address is of no kind that is known", hint=f"Give {FORMS}")
    try:
        address = address_of(url)
    except Misconfigured as error:
        error.message = "the address is not one of PostgreSQL's"
        raise
    if any(name in address.conninfo for name in _SECRETS):
        raise Misconfigured(
            "there is a password in the address of the place",
            hint="Take it out: PGPASSWORD, ~/.pgpass, a service file or an Airflow connection gives it",
        )
    return _in_database(address, table, query)


def _in_database(address: Address, table: str | None, query: str | None) -> StoredPlace:
    from consumer.pipeline.stored.postgres.place import PostgresPlace  # deferred: files need no driver

    return PostgresPlace(address, *_table_or_query(table, query, address.shown))


def _in_files(text: str, query: str | None) -> StoredPlace:
    path, table = _split(text)
    if table is not None and Path(text).exists():  # a file with the sign in its name
        path, table = text, None
    if Path(path).suffix.lower() in _DATABASES or is_database(Path(path)):
        return DuckdbPlace(Path(path), *_table_or_query(table, query, path))
    if table is not None:
        raise Misconfigured(
            "only a database has tables, and the file is none",
            where=path,
            hint=f"A DuckDB file is named *{', *'.join(_DATABASES)}; files are named without #",
        )
    _refuse_query(query, "files")
    return FilesPlace(text)


def _in_lake(text: str, topic: str) -> StoredPlace:
    from consumer.pipeline.stored.lake.delta import DeltaPlace
    from consumer.pipeline.stored.lake.place import LakePlace

    kind, _, folder = text.partition(":")
    folder = folder.strip()
    _refuse_secret(folder)
    if not folder:
        what = "that `streamproof lake --to` was told" if text.startswith(LAKE) else "that has _delta_log in it"
        raise Misconfigured(f"behind {kind}: is no folder", hint=f"Give the one {what}")
    return LakePlace(Path(folder), topic) if text.startswith(LAKE) else DeltaPlace(Path(folder))


def _in_object_store(text: str) -> StoredPlace:
    from consumer.pipeline.stored.object_store import ObjectStorePlace

    if "@" in text or "?" in text.replace("/?", "/"):
        raise Misconfigured(
            "an address of S3 is a bucket and a path, without a login and settings",
            hint="Credentials come from the environment, ~/.aws or a secret that DuckDB keeps",
        )
    return ObjectStorePlace(text)


def _split(text: str) -> tuple[str, str | None]:
    """Return a place without its table, and the table."""
    found = _TABLE.search(text)
    if found is None and "#" in text and not Path(text).exists():
        raise Misconfigured("behind the # of the place is no name of a table", hint=f"Give {FORMS}")
    return (text[: found.start()], found[1]) if found else (text, None)


def _table_or_query(table: str | None, query: str | None, where: str) -> tuple[TableName | None, str | None]:
    if table and query is not None:
        raise Misconfigured("a table and a query are given: one of them is what is read", where=where)
    if not table and query is None:
        raise Misconfigured("neither a table nor a query is given", where=where, hint="Add #table, or give --query")
    return (read_table_name(table) if table else None), query


def _refuse_query(query: str | None, what: str) -> None:
    if query is not None:
        raise Misconfigured(
            f"a query is given beside {what}", hint="It is for a database: PostgreSQL, or a DuckDB file"
        )


def _refuse_secret(text: str) -> None:
    """Refuse a path that looks like an address without its beginning."""
    if _LOGIN.match(text) and not Path(text).exists():
        raise Misconfigured("the place is no path, and no address that is known", hint=f"Give {FORMS}")
