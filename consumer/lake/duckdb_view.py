"""The two statements that make a view of the committed events in DuckDB: they ask the published list themselves."""

from __future__ import annotations

from pathlib import Path

from consumer.lake.published import COMMITTED

VIEW_FILE = "events.sql"
_SQL = """\
-- The committed events of topic {topic}: duckdb -init events.sql. Run it again to see what was published since.
SET VARIABLE lake_files = (
    SELECT list({folder} || file)
    FROM (SELECT unnest(batch.events) AS file
          FROM (SELECT unnest(batches) AS batch
                FROM read_json({committed}, columns = {{batches: 'STRUCT(events VARCHAR[])[]'}},
                               format = 'unstructured', maximum_object_size = 1073741824))));
CREATE OR REPLACE TEMP VIEW events AS
    SELECT * FROM read_parquet(getvariable('lake_files'), hive_partitioning = true, union_by_name = true);
"""


def view_sql(folder: Path) -> str:
    """Return the statements for the folder of a topic, which they name as it is now."""
    at = folder.absolute()
    return _SQL.format(topic=folder.name, folder=_text(f"{at}/"), committed=_text(str(at / COMMITTED)))


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
