"""The events of a lake as a Delta table. Spark writes it; the published list says which version has which batch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from consumer.lake.job.beginning import EVENTS
from consumer.lake.job.columns import FOLDERS

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

CONF = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    # Delta reads its log in 50 tasks unless told otherwise, each time: made for logs of millions of files.
    "spark.databricks.delta.snapshotPartitions": "4",
}


class DeltaEvents:
    """The table of one topic: ``LAKE/<topic>/events``.

    A batch is one commit. What was committed and not listed before a kill is deleted at the start, by its batch, and
    written again; so it is there once whatever the checkpoint says.
    """

    def __init__(self, spark: SparkSession, folder: Path) -> None:
        self._spark = spark
        self._table = folder / EVENTS
        self._name = f"delta.`{self._table}`"

    def sweep(self, last_listed: int) -> None:
        """Delete the rows of batches that are not in the list: they are the last ones."""
        if self._is_there():
            self._spark.sql(f"DELETE FROM {self._name} WHERE batch_id > {last_listed}")  # noqa: S608 - a number

    def append(self, staged: Path, files: list[str], batch_id: int) -> int | None:
        """Write the rows of staged files as one commit, and return its version; ``None`` without a table."""
        if files:
            from pyspark.sql import functions

            rows: Any = self._spark.read.option("basePath", str(staged / EVENTS)).parquet(
                *(str(staged / file) for file in files)
            )
            kinds = {"date": "date", "hour": "int", "batch_id": "bigint"}
            rows = rows.withColumns({name: functions.col(name).cast(kind) for name, kind in kinds.items()})
            writer = rows.write.format("delta").mode("append").option("mergeSchema", "true")
            writer = writer.option("userMetadata", f"batch {batch_id}")
            writer.partitionBy(*FOLDERS).save(str(self._table))
        if not self._is_there():
            return None
        newest = self._spark.sql(f"DESCRIBE HISTORY {self._name} LIMIT 1").collect()
        return int(newest[0]["version"])

    def _is_there(self) -> bool:
        return (self._table / "_delta_log").is_dir()
