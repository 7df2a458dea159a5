"""What the job of a Hive table is told, as one line of JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Self


@dataclass(frozen=True, slots=True)
class TableJob:
    """One run of the job.

    :ivar metastore: ``thrift://host:port``; empty for the one in the lake.
    :ivar delta: whether a topic lies in a table of Delta.
    """

    folder: str
    clicks: str
    articles: str
    database: str
    table: str
    query: str
    metastore: str
    master: str
    memory: str
    jars: list[str]
    conf: dict[str, str] = field(default_factory=dict)
    delta: bool = False

    @classmethod
    def read(cls, text: str) -> Self:
        """Read what :meth:`line` wrote."""
        return cls(**json.loads(text))

    def line(self) -> str:
        """Return it as one line."""
        return json.dumps(asdict(self)) + "\n"

    @property
    def hive(self) -> Path:
        """The folder of the warehouse, and of the metastore in it."""
        return Path(self.folder) / "hive"

    def spark_conf(self) -> Mapping[str, str]:
        """Return what Spark is started with for Hive."""
        conf = {
            "spark.sql.catalogImplementation": "hive",
            "spark.sql.sources.partitionOverwriteMode": "dynamic",
            "spark.hadoop.hive.exec.dynamic.partition.mode": "nonstrict",
            "spark.hadoop.hive.exec.scratchdir": str(self.hive / "hive-scratch"),
        }
        if self.metastore:
            return conf | {"spark.hadoop.hive.metastore.uris": self.metastore} | self.conf
        derby = f"jdbc:derby:;databaseName={self.hive}/metastore_db;create=true"
        return (
            conf
            | {
                "spark.sql.warehouse.dir": str(self.hive / "warehouse"),
                "spark.hadoop.javax.jdo.option.ConnectionURL": derby,
            }
            | self.conf
        )
