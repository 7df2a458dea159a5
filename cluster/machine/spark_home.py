"""Where Spark is on this machine: an environment of its own, as it is larger than all the rest together."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class SparkHome:
    """What starts Spark.

    :ivar python: the interpreter that has pyspark; our packages are on its path when it is started.
    :ivar java_home: a folder whose ``bin/java`` takes the options that Spark gives.
    :ivar jars: what pyspark lacks: the source for Kafka.
    :ivar delta_jars: what Delta needs beside these.
    """

    python: Path
    java_home: Path
    jars: tuple[Path, ...]
    delta_jars: tuple[Path, ...]
