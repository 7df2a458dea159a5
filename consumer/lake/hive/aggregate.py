"""Clicks joined with the newest metadata of their articles, counted by hour, in a Hive table. Runs inside Spark."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cluster.errors import Misconfigured
from consumer.lake.hive.state import new_batches, read_state, state_of
from consumer.lake.published import Batch, Published, read_published

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

QUERY = Path(__file__).with_name("clicks_by_category.sql")
_CLICKED, _ARTICLE = "click_article_id", "article_id"
_OF_KAFKA = frozenset(
    {"kafka_partition", "kafka_offset", "kafka_timestamp", "kafka_key", "schema_id", "event_id", "value_crc"}
    | {"kafka_headers", "kafka_timestamp_ms", "kafka_key_json", "kafka_record_name", "date", "hour", "batch_id"}
)
_TOP = 10
# An hour of the table: day (ISO 8601, UTC) and number.
Hour = tuple[str, int]


@dataclass(frozen=True, slots=True)
class TableAsked:
    """A table that is asked for.

    :ivar lake: the folder of the lake.
    :ivar embedded: whether the metastore is the one in the lake, and not one of somebody else.
    """

    lake: Path
    clicks: str
    articles: str
    database: str
    table: str
    query: str
    embedded: bool = True

    @property
    def name(self) -> str:
        """The table, with its database, quoted."""
        return f"`{self.database}`.`{self.table}`"

    @property
    def state(self) -> Path:
        """Where it is kept what is in the table."""
        return self.lake / "hive" / "state" / f"{self.database}.{self.table}.json"


@dataclass(frozen=True, slots=True)
class TableResult:
    """What became of a table.

    :ivar folder: where its files are.
    :ivar hours: how many it has; ``computed`` of them were computed now.
    :ivar articles: whose metadata changed, so that the hours of their clicks were computed.
    :ivar rows: of the table; ``clicks`` that they add up to.
    :ivar categories: those with the most clicks: ``category_id`` (``None`` without metadata), ``clicks``,
        ``publishers``.
    """

    table: str
    folder: str
    hours: int
    computed: int
    articles: int
    rows: int
    clicks: int
    categories: list[dict[str, Any]]

    def document(self) -> dict[str, Any]:
        """Return it as a JSON-ready mapping."""
        return asdict(self)


def aggregate(spark: SparkSession, asked: TableAsked, tell: Callable[[str], None] = lambda _: None) -> TableResult:
    """Bring a table up to what the lake publishes.

    1. lists: what both topics publish now, and what of it is in the table
    2. touched: the hours of new batches of clicks, and those of clicks on articles whose newest metadata changed
    3. count: these hours anew, from all their clicks
    4. write: their partitions of the table are replaced, and no others
    5. keep: what is in the table now, swapped by a rename

    Killed before 5, the next run computes the same hours again. Hours are replaced and never added to: twice is once.

    :param tell: told what is done, a line each.
    :raises PlaceMissing: a topic publishes nothing yet.
    :raises Misconfigured: the table is another one, or the lake was moved.
    """
    # 1. lists
    published = {topic: read_published(asked.lake / topic) for topic in (asked.clicks, asked.articles)}
    spark.sql(f"CREATE DATABASE IF NOT EXISTS `{asked.database}`")
    exists = spark.catalog.tableExists(asked.name)
    now = state_of(asked.query, published, _folder(spark, asked) if exists else "")
    new = new_batches(read_state(asked.state) if exists else None, now)
    # 2. touched
    clicks = _events(spark, asked.lake / asked.clicks, published[asked.clicks])
    articles = _events(spark, asked.lake / asked.articles, published[asked.articles])
    every = {hour for batch in published[asked.clicks].batches for hour in _hours(batch)}
    changed = 0
    if new is None:
        touched = every
    else:
        fresh = new[asked.clicks]
        touched = {
            hour for batch in published[asked.clicks].batches if batch.batch_id in fresh for hour in _hours(batch)
        }
        if new[asked.articles]:
            ids = _changed(articles, new[asked.articles]).cache()
            changed = ids.count()
            touched |= _clicked(clicks, ids) if changed else set()
            ids.unpersist()
    tell(f"{len(touched):,} of {len(every):,} hours are computed")
    # 3. count
    if touched or not exists:
        hours = spark.createDataFrame(sorted(touched), "day string, hour int").selectExpr(
            "CAST(day AS DATE) AS date", "hour"
        )
        clicks.join(hours.hint("broadcast"), ["date", "hour"], "left_semi").createOrReplaceTempView("clicks")
        newest(articles).createOrReplaceTempView("articles")
        counted = spark.sql(asked.query)
        if not exists:
            _create(spark, asked, counted)
        _check(spark, asked, counted)
        # 4. write
        tell("the table is written")
        columns = [f"`{name}`" for name in spark.table(asked.name).columns]
        counted.selectExpr(*columns).repartition("date", "hour").write.insertInto(asked.name, overwrite=True)
    if new is None and exists:
        _drop_others(spark, asked, every)
    # 5. keep
    tell("what is in the table is noted")
    replace(now, folder=_folder(spark, asked)).write(asked.state)
    return _result(spark, asked, len(every), len(touched), changed)


def newest(articles: DataFrame) -> DataFrame:
    """Return one row for each article: its last record, by partition and offset. The key of a record is its article,
    so that all of one lie in one partition, in the order in which they were sent.
    """
    from pyspark.sql import functions as F  # noqa: N812 - as everybody calls it

    values = [name for name in articles.columns if name not in _OF_KAFKA and name != _ARTICLE]
    last = F.max_by(F.struct(*values, "batch_id"), F.struct("kafka_partition", "kafka_offset")).alias("last")
    return articles.groupBy(_ARTICLE).agg(last).select(_ARTICLE, "last.*")


def _changed(articles: DataFrame, fresh: Iterable[int]) -> DataFrame:
    """Return the articles whose newest record is of a new batch, and says something else than the one before."""
    from pyspark.sql import functions as F  # noqa: N812

    is_new = F.col("batch_id").isin(list(fresh))
    now, before = newest(articles).where(is_new), newest(articles.where(~is_new)).drop("batch_id")
    now = now.drop("batch_id")
    now, before = now.alias("now"), before.alias("before")
    same = [F.col(f"now.{name}").eqNullSafe(F.col(f"before.{name}")) for name in now.columns]
    alike = same[0]
    for each in same[1:]:
        alike &= each
    return now.join(before, alike, "left_anti").select(_ARTICLE)


def _clicked(clicks: DataFrame, ids: DataFrame) -> set[Hour]:
    """Return the hours of clicks on some articles: two columns and the folders' names of all clicks are read."""
    from pyspark.sql import functions as F  # noqa: N812

    on = clicks.join(ids, F.col(_CLICKED) == F.col(_ARTICLE), "left_semi")
    hours = on.where("date IS NOT NULL").select("date", "hour").distinct().collect()
    return {(str(row["date"]), int(row["hour"])) for row in hours}


def _hours(batch: Batch) -> Iterator[Hour]:
    """Yield the hours of a batch; clicks that have no time at all are in none, and are not counted."""
    for text in batch.hours:
        day, _, hour = text.partition("/")
        if hour.isdigit():
            yield day, int(hour)


def _events(spark: SparkSession, folder: Path, published: Published) -> DataFrame:
    """Return the events of the batches that are listed, with ``date`` (DATE), ``hour`` (INT) and ``batch_id``."""
    from pyspark.sql import functions as F  # noqa: N812

    root = str(folder / "events")
    if published.table_format == "delta":
        found = spark.read.format("delta").load(root)
        listed = max((batch.batch_id for batch in published.batches), default=-1)
        found = found.where(F.col("batch_id") <= listed)
    else:
        files = [str(folder / name) for batch in published.batches for name in batch.events]
        if not files:
            raise Misconfigured("no event is committed yet", where=str(folder), hint="Load the topic first")
        found = spark.read.option("basePath", root).option("mergeSchema", "true").parquet(*files)
    return (
        found.withColumn("date", F.col("date").cast("date"))
        .withColumn("hour", F.col("hour").cast("int"))
        .withColumn("batch_id", F.col("batch_id").cast("bigint"))
    )


def _create(spark: SparkSession, asked: TableAsked, counted: DataFrame) -> None:
    columns = ", ".join(
        f"`{field.name}` {field.dataType.simpleString()}"
        for field in counted.schema
        if field.name not in {"date", "hour"}
    )
    spark.sql(f"CREATE TABLE {asked.name} ({columns}) PARTITIONED BY (`date` DATE, `hour` INT) STORED AS PARQUET")


def _check(spark: SparkSession, asked: TableAsked, counted: DataFrame) -> None:
    """Look whether the table is one of this query, and where this lake is.

    :raises Misconfigured: it is not.
    """
    there, wanted = (
        {field.name.lower(): field.dataType.simpleString() for field in schema}
        for schema in (spark.table(asked.name).schema, counted.schema)
    )
    if there != wanted:
        raise Misconfigured(
            f"the table {asked.name} has other columns than the query gives: {', '.join(sorted(there))}",
            hint="Name another table, or drop this one",
        )
    folder = _folder(spark, asked)
    if asked.embedded and not folder.startswith(f"{asked.lake.resolve()}/"):
        raise Misconfigured(
            "the metastore in the lake says that the table lies elsewhere: the lake was moved, or copied",
            where=folder,
            hint="Take its folder hive/ away: everything in it is then computed again",
        )


def _folder(spark: SparkSession, asked: TableAsked) -> str:
    rows = spark.sql(f"DESCRIBE FORMATTED {asked.name}").where("col_name = 'Location'").collect()
    return str(rows[0]["data_type"]).removeprefix("file:") if rows else ""


def _drop_others(spark: SparkSession, asked: TableAsked, every: set[Hour]) -> None:
    """Drop hours that no batch has any more."""
    for (text,) in spark.sql(f"SHOW PARTITIONS {asked.name}").collect():
        said = dict(part.split("=", 1) for part in text.split("/"))
        if (said["date"], int(said["hour"])) not in every:
            spark.sql(f"ALTER TABLE {asked.name} DROP IF EXISTS PARTITION (date='{said['date']}', hour={said['hour']})")


def _result(spark: SparkSession, asked: TableAsked, hours: int, computed: int, articles: int) -> TableResult:
    found = spark.sql(
        "SELECT category_id, sum(clicks) AS clicks, count(DISTINCT publisher_id) AS publishers, count(*) AS rows "  # noqa: S608 - quoted
        f"FROM {asked.name} GROUP BY category_id"
    ).collect()
    categories = sorted((row.asDict() for row in found), key=lambda row: (-row["clicks"], row["category_id"] or 0))
    rows = sum(each.pop("rows") for each in categories)
    return TableResult(
        f"{asked.database}.{asked.table}",
        _folder(spark, asked),
        hours,
        computed,
        articles,
        rows,
        sum(each["clicks"] for each in categories),
        categories[:_TOP],
    )
