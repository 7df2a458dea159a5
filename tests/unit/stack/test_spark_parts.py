"""What starts Spark: an environment of its own, jars by a lock, and a Java that takes its options."""

import subprocess
from pathlib import Path

import pytest
from jgo.env import EnvironmentSpec, LockFile
from jgo.env._lockfile import compute_spec_hash

from cluster.errors import Misconfigured
from cluster.local import PROJECT_ROOT
from stack.parts import spark
from stack.parts.artifacts import SPEC_FILE, locked


def test_the_lock_of_spark_is_that_of_its_specification() -> None:
    path = spark.LOCK_FILE.with_name(SPEC_FILE.name)
    specification, lock = EnvironmentSpec.load(path), LockFile.load(spark.LOCK_FILE)
    assert lock.spec_hash == compute_spec_hash(path), "run `python -m stack.parts.lock stack/parts/spark_jars --alone`"
    named = [f"{entry.groupId}:{entry.artifactId}:{entry.version}" for entry in lock.dependencies]
    assert sorted(named) == sorted(specification.coordinates)
    assert all(entry.sha256 for entry in lock.dependencies)


def test_the_jars_are_those_of_the_locked_spark() -> None:
    pins = PROJECT_ROOT.joinpath("requirements-lake.in").read_text().splitlines()
    version = next(line.removeprefix("pyspark==") for line in pins if line.startswith("pyspark=="))
    assert {one.version for one in locked(spark.LOCK_FILE) if one.group == "org.apache.spark"} == {version}


def test_without_the_environment_the_error_says_how_to_make_it() -> None:
    with pytest.raises(Misconfigured, match="STREAMPROOF_LAKE_PYTHON") as caught:
        spark.lake_python({"STREAMPROOF_LAKE_PYTHON": "/nowhere/python"})
    assert caught.value.exit_code == 78


def test_java_takes_the_options_that_spark_gives(tmp_path: Path) -> None:
    java = spark._java_home(tmp_path) / "bin" / "java"
    options = ["--add-modules=jdk.incubator.vector", "--add-opens=java.base/sun.security.action=ALL-UNNAMED"]
    said = subprocess.run([java, *options, "-version"], capture_output=True, text=True, check=True, timeout=30)
    assert "21." in said.stderr
