"""The operators of the lake: what they ask of the packages, how they end, and how a connection of Spark is used.

They are asked in a process that is of Airflow: see ``tests/kit/lake_answers.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.kit.airflow_process import airflow_process

Ask = Callable[..., Any]


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ask]:
    """Put a question, by its name, with environment and arguments."""
    with airflow_process(tmp_path_factory.mktemp("airflow")) as process:
        yield process.ask


def test_a_lake_takes_what_the_form_says(ask: Ask) -> None:
    params = {"topic": "clicks", "lake": "/data/l", "table_format": "delta", "memory": "2g", "master": "spark://m:7077"}
    settings = {"topics": ["{{ params.topic }}", "b"], "event_times": {"{{ params.topic }}": "at"}}
    told = ask("lake_wrote", settings=settings, params=params)
    assert told["asked"] == {
        "topics": ["clicks", "b"],
        "folder": "/data/l",
        "master": "spark://m:7077",
        "format": "delta",
        "memory": "2g",
        "event_times": {"clicks": "at"},
        "run": "run_job",
    }
    assert told["returned"] == {
        "lake": "/data/l",
        "format": "parquet",
        "rows": 7,
        "quarantined": 2,
        "topics": {"t": 7},
        "seconds": 3.0,
    }
    assert told["published"] == [
        ["streamproof://lakes/t", {"run_id": "lakes/r", "lake": "/data/l", "events": 7}],
    ]


def test_without_a_form_a_lake_lies_in_the_state_folder_and_spark_runs_in_the_task(ask: Ask, tmp_path: Path) -> None:
    told = ask("lake_wrote", {"STREAMPROOF_STATE_DIR": str(tmp_path)}, settings={"topics": ["a"]})["asked"]
    assert (told["folder"], told["master"], told["format"]) == (str(tmp_path / "lake"), "local[2]", "parquet")


@pytest.mark.parametrize("error", ["WarehouseLocked", "StoreFull", "DependencyDown", "TopicRecreated"])
def test_how_a_job_failed_is_how_its_task_fails(ask: Ask, error: str) -> None:
    assert ask("lake_wrote", settings={"topics": ["a"]}, error=error)["raised"] == f"{error}: it ended"


def test_a_format_that_there_is_not_is_refused_before_spark_starts(ask: Ask) -> None:
    told = ask("lake_wrote", settings={"topics": ["a"], "table_format": "iceberg"})
    assert "no format 'iceberg'" in told["raised"]
    assert told["asked"] == {}


def test_a_task_that_is_killed_ends_its_job(ask: Ask) -> None:
    assert ask("lake_killed") == {"raised": "Interrupted"}


def test_a_connection_says_the_master_without_the_provider(ask: Ask) -> None:
    found = ask(
        "spark_masters",
        connections={
            "local": {"conn_type": "spark", "host": "local[2]"},
            "whole": {"conn_type": "spark", "host": "spark://m", "port": 7077},
            "parts": {"conn_type": "spark", "host": "m", "port": 7077},
            "yarn": {"conn_type": "spark", "host": "yarn"},
            "cluster": {"conn_type": "spark", "host": "m", "port": 7077, "extra": {"deploy-mode": "cluster"}},
        },
    )
    assert (found["local"], found["whole"], found["parts"]) == ("local[2]", "spark://m:7077", "spark://m:7077")
    assert "leads to 'yarn'" in found["yarn"]
    assert "asks for a driver on the cluster" in found["cluster"]
    assert ask("submitting_without_the_provider") is False


def test_with_a_connection_and_no_provider_the_task_starts_spark_itself_there(ask: Ask) -> None:
    env = {"AIRFLOW_CONN_SPARK_HERE": '{"conn_type": "spark", "host": "m", "port": 7077}'}
    told = ask("lake_wrote", env, settings={"topics": ["a"], "spark_conn_id": "spark_here"})["asked"]
    assert (told["master"], told["run"]) == ("spark://m:7077", "run_job")


def test_a_connection_that_there_is_not_is_named(ask: Ask) -> None:
    told = ask("lake_wrote", settings={"topics": ["a"], "spark_conn_id": "nowhere"})["raised"]
    assert "Airflow has no connection 'nowhere'" in told
    assert "AIRFLOW_CONN_NOWHERE" in told


def test_the_provider_submits_the_same_job_with_its_request_in_a_private_file(ask: Ask, tmp_path: Path) -> None:
    told = ask("submitted", folder=str(tmp_path), ending="exit 0")
    assert told["heard"] == [{"kind": "ready"}]
    assert told["raised"] == ""
    assert (told["started"], told["left"]) == (2, [])
    hook = told["hook"]
    assert hook["spark_binary"] == str(tmp_path / "bin" / "spark-submit")
    assert (hook["jars"], hook["driver_memory"], hook["conf"]["x"]) == ("a.jar,b.jar", "900m", "y")
    assert hook["env_vars"]["JAVA_HOME"] == str(tmp_path / "java")
    assert "consumer.lake.job" in hook["application"]
    assert (hook["mode"], hook["request"]["secret"]) == ("0o600", "s3cret")
    # Anybody on the machine may read a command line.
    assert "s3cret" not in told["told"]
    assert told["log"] == "INFO SparkContext: starting\n"


def test_a_submitted_job_that_is_stopped_leaves_no_process(ask: Ask, tmp_path: Path) -> None:
    told = ask("submitted", folder=str(tmp_path), ending="wait")
    assert told["raised"].startswith("Interrupted: stopped")
    assert (told["started"], told["left"]) == (2, [])


@pytest.mark.parametrize(
    ("said", "raised"),
    [
        ("""echo '{"kind": "error", "error": {"kind": "StoreFull", "message": "no room"}}'""", "StoreFull: no room"),
        (":", "DependencyDown: the submitted job ended without a result"),
    ],
)
def test_a_submitted_job_that_fails_says_why(ask: Ask, tmp_path: Path, said: str, raised: str) -> None:
    told = ask("submitted", folder=str(tmp_path), ending=f"{said}; exit 1")
    assert told["raised"] == raised
    assert told["left"] == []
