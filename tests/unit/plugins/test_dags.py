"""The Dags as Airflow reads them: complete, light, wired so that a run cannot be green by accident.

Each test reads what one process found, as the Dag processor would: Airflow sets itself up when it is imported, and
what a Dag file imports can only be told in a process that imported nothing else. See ``tests/kit/airflow_answers.py``.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cluster.local import PROJECT_ROOT
from tests.kit.airflow_process import airflow_process

ReadDags = Callable[..., dict[str, Any]]
BY_HAND = {
    "rehearse_customer_events",
    "rehearse_clickstream",
    "rehearse_your_pipeline",
    "rehearse_click_stream_lake",
    "count_events",
    "rehearse_journeys",
}


@pytest.fixture(scope="module")
def read_dags(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReadDags]:
    """Read a folder of Dags with a folder of profiles, as a Dag processor that reads nothing else."""
    with airflow_process(tmp_path_factory.mktemp("airflow")) as process:

        def read(folder: Path, profiles: Path, **more: str) -> dict[str, Any]:
            env = {"STREAMPROOF_PROFILES_DIR": str(profiles), "STREAMPROOF_SCENARIO_PATH": ""} | more
            found: dict[str, Any] = process.ask("dags", env, folder=str(folder))
            return found

        yield read


@pytest.fixture(scope="module")
def found(read_dags: ReadDags) -> dict[str, Any]:
    return read_dags(PROJECT_ROOT / "dags", PROJECT_ROOT / "profiles")


def odd_rules(tasks: dict[str, Any]) -> dict[str, str]:
    """Return when tasks begin that do not need all before them to have succeeded."""
    return {name: task["rule"] for name, task in tasks.items() if task["rule"] != "all_success"}


@pytest.fixture(scope="module")
def rehearse(found: dict[str, Any]) -> dict[str, Any]:
    dag: dict[str, Any] = found["dags"]["rehearse_customer_events"]
    return dag


def test_every_dag_file_can_be_read(found: dict[str, Any]) -> None:
    assert found["errors"] == {}
    assert set(found["dags"]) == BY_HAND | {"recurring_steady_hourly"}


def test_reading_the_dags_and_the_plugin_loads_neither_kafka_nor_the_warehouse_nor_a_page(
    found: dict[str, Any],
) -> None:
    assert found["heavy"] == []


def test_every_dag_says_what_it_is_and_ends(found: dict[str, Any]) -> None:
    for name, dag in found["dags"].items():
        assert dag["doc_md"].strip(), name
        assert dag["description"], name
        assert {"streamproof", "rehearsal"} <= set(dag["tags"]), name
        assert dag["max_active_runs"] == 1, name
        assert dag["dagrun_timeout"], name
        assert dag["catchup"] is False, name


def test_every_task_has_an_owner_a_doc_and_a_limit(found: dict[str, Any]) -> None:
    for name, dag in found["dags"].items():
        for task_id, task in dag["tasks"].items():
            assert task["owner"] == "streamproof", (name, task_id)
            assert task["doc_md"], (name, task_id)
            assert task["execution_timeout"], (name, task_id)


def test_every_form_can_be_triggered_as_it_stands(found: dict[str, Any]) -> None:
    # Airflow's page asks for a value wherever NULL is not allowed, and an empty text is none.
    for name, dag in found["dags"].items():
        for field, param in dag["params"].items():
            kinds = param.get("type") or [None]
            if "null" not in ([kinds] if isinstance(kinds, str) else kinds):
                assert param["default"] not in {None, ""}, (name, field)


def test_retries_outlast_the_restart_of_a_broker(found: dict[str, Any]) -> None:
    for dag in found["dags"].values():
        for task in dag["tasks"].values():
            first_s, factor, most_s = task["backoff"]
            waits = [min(first_s * factor**number, most_s) for number in range(task["retries"])]
            assert most_s == 120
            # Airflow waits this long at least; each try has its own deadlines beside.
            assert sum(waits) >= 240, waits


def test_a_run_is_green_only_if_shards_audit_checks_and_publication_succeeded(rehearse: dict[str, Any]) -> None:
    tasks = rehearse["tasks"]
    # Airflow judges a run by its leaf: the report, which fails unless readers have the run.
    assert [name for name, task in tasks.items() if not task["downstream"]] == ["report"]
    assert [name for name, task in tasks.items() if task["counts"]] == ["report"]
    assert tasks["publish"]["rule"] == "all_success"
    assert {"generate", "audit", "check"} <= set(tasks["publish"]["upstream"])


def test_what_was_sent_is_judged_whatever_becomes_of_the_run_once_the_schemas_are_there(
    rehearse: dict[str, Any],
) -> None:
    tasks = rehearse["tasks"]
    assert [name for name, task in tasks.items() if task["setup"]] == ["schema_gate"]
    # Airflow runs teardowns after failures, and after somebody marked the run as failed.
    assert {name for name, task in tasks.items() if task["teardown"]} == {"load", "audit", "check", "report"}
    for name in ("load", "audit", "check"):
        assert tasks[name]["rule"] == "all_done_setup_success"
        assert "schema_gate" in tasks[name]["upstream"], name
    # Of no setup: it comes in every run, so that none ends green of which all was skipped.
    assert tasks["report"]["rule"] == "all_done_setup_success"
    assert tasks["report"]["upstream"] == ["check", "publish"]
    assert "generate" in tasks["load"]["upstream"]
    assert "load" in tasks["audit"]["upstream"]
    assert "audit" in tasks["check"]["upstream"]


def test_one_task_does_the_incidents_beside_the_generators_and_decides_nothing(rehearse: dict[str, Any]) -> None:
    tasks = rehearse["tasks"]
    assert tasks["incidents"]["upstream"] == tasks["generate"]["upstream"][1:] == ["schema_gate"]
    # The load waits until what was away is back, whatever became of the task; nothing else looks at it.
    assert [name for name, task in tasks.items() if "incidents" in task["upstream"]] == ["load"]


def test_the_plan_comes_first_so_that_nothing_is_made_for_settings_that_cannot_be(rehearse: dict[str, Any]) -> None:
    tasks = rehearse["tasks"]
    assert [name for name, task in tasks.items() if not task["upstream"]] == ["plan"]
    assert tasks["ensure_topics"]["upstream"] == ["plan"]
    assert tasks["schema_gate"]["upstream"] == ["ensure_topics"]


def test_the_report_comes_last(rehearse: dict[str, Any]) -> None:
    tasks = rehearse["tasks"]
    before, found = {"report"}, {"report"}
    while found:
        found = {name for task in found for name in tasks[task]["upstream"]} - before
        before |= found
    assert before == set(tasks)
    assert "publish" in tasks["report"]["upstream"]


def test_the_warehouse_is_used_by_one_task_at_a_time(rehearse: dict[str, Any]) -> None:
    pools = {name: task["pool"] for name, task in rehearse["tasks"].items()}
    assert {name for name, pool in pools.items() if pool == "warehouse"} == {
        "load",
        "audit",
        "check",
        "publish",
        "report",
    }


def test_shards_are_labelled(rehearse: dict[str, Any]) -> None:
    assert rehearse["tasks"]["generate"]["label"].startswith("shard {{")


def test_the_form_shows_the_main_settings_and_bounds_them(rehearse: dict[str, Any]) -> None:
    params = rehearse["params"]
    main = [name for name, param in params.items() if param.get("section") is None]
    assert main == ["rate", "full_speed", "seconds", "shards", "seed", "topic"]
    assert all(param["title"] and param["description_md"] for param in params.values())
    for name in ("rate", "seconds", "shards", "seed"):
        (bounds,) = params[name]["allOf"]
        assert {"minimum", "maximum"} == bounds.keys(), name
        # At the top the form would read them, and move a slip to the bound without a word.
        assert not {"minimum", "maximum"} & params[name].keys(), name
    assert params["rate"]["allOf"][0]["minimum"] == 1
    assert params["full_speed"]["default"] is False
    assert params["topic"]["pattern"]
    assert "Letters, digits, '.', '_' and '-'" in params["topic"]["description_md"]
    assert params["events"]["type"] == ["integer", "null"]
    assert params["shape"]["type"] == ["string", "null"]
    assert params["catch_up"]["enum"] == ["report", "skip"]
    assert params["time_compression"]["allOf"] == [{"exclusiveMinimum": 0}]
    sections: dict[str, list[str]] = {}
    for name, param in params.items():
        sections.setdefault(param.get("section") or "", []).append(name)
    assert list(sections)[1:] == [
        "Load",
        "Scenario options",
        "Schema versions",
        "Injected faults",
        "Incidents",
        "Warehouse",
    ]
    assert sections["Scenario options"] == ["time_compression"]
    assert len(sections["Injected faults"]) == 10


def test_clickstream_is_the_same_dag_at_the_pace_and_on_the_topic_of_its_own(found: dict[str, Any]) -> None:
    dag, rehearse = found["dags"]["rehearse_clickstream"], found["dags"]["rehearse_customer_events"]
    assert dag["tasks"] == rehearse["tasks"]
    assert "clickstream" in dag["tags"]
    assert dag["paused"] is False
    assert (dag["params"]["topic"]["default"], dag["params"]["rate"]["default"]) == ("clickstream", None)
    shared = rehearse["params"].keys() - {"time_compression"}
    assert dag["params"].keys() - shared == {"users", "no_delay"}
    assert dag["params"]["users"]["allOf"] == [{"minimum": 1, "maximum": 1_000_000_000}]
    assert {dag["params"][name]["section"] for name in ("users", "no_delay")} == {"Scenario options"}


def test_a_scheduled_profile_is_a_dag_that_starts_paused(found: dict[str, Any]) -> None:
    dag = found["dags"]["recurring_steady_hourly"]
    assert dag["schedule"] == "0 * * * *"
    assert dag["paused"] is True
    assert dag["params"]["rate"]["default"] == 2000
    assert dag["tasks"] == found["dags"]["rehearse_customer_events"]["tasks"]


def test_a_profile_says_which_workers_do_its_tasks(read_dags: ReadDags, tmp_path: Path) -> None:
    (tmp_path / "spread.yaml").write_text(
        'schedule: "@daily"\nqueue: generators\npool: load_generators\nwarehouse_queue: one_machine\n'
    )
    tasks = read_dags(PROJECT_ROOT / "dags", tmp_path)["dags"]["recurring_spread"]["tasks"]
    assert (tasks["generate"]["queue"], tasks["generate"]["pool"]) == ("generators", "load_generators")
    shared = {name for name, task in tasks.items() if task["queue"] == "one_machine"}
    assert shared == {"load", "audit", "check", "publish", "report"}
    assert {task["queue"] for name, task in tasks.items() if name not in {*shared, "generate"}} == {"default"}


def test_a_broken_profile_is_an_import_error_and_leaves_the_others_alone(read_dags: ReadDags, tmp_path: Path) -> None:
    dags, profiles = tmp_path / "dags", tmp_path / "profiles"
    shutil.copytree(PROJECT_ROOT / "dags", dags, ignore=shutil.ignore_patterns("__pycache__"))
    profiles.mkdir()
    (profiles / "good.yaml").write_text('schedule: "15 3 * * *"\nrate: 10\n')
    (profiles / "misspelt.yaml").write_text('schedule: "@daily"\nshard: 3\nrate: -1\n')
    (profiles / "by_hand.yaml").write_text("rate: 10\n")
    (profiles / "shaped.yaml").write_text(
        "schedule: '@daily'\nshape: {ramp: {start: 1, end: 5k, duration: 1m}}\nfaults: {duplicate: 1%}\n"
    )
    found = read_dags(dags, profiles)
    assert set(found["dags"]) == BY_HAND | {"recurring_good", "recurring_shaped"}
    assert found["dags"]["recurring_shaped"]["params"]["shape"]["default"] == "ramp(1, 5000, 1m)"
    assert found["dags"]["recurring_shaped"]["params"]["faults"]["default"] == "duplicate=0.01"
    # Shapes and faults are read by the producer's own modules, without what produces.
    assert found["heavy"] == []
    ((file, error),) = found["errors"].items()
    assert Path(file).name == "recurring_faults.py"
    assert "misspelt.yaml" in error
    assert "unknown key 'shard', did you mean 'shards'?" in error
    assert "rate: -1 is too small, it must be 1 or more" in error


def test_a_scenario_of_a_folder_is_a_dag_and_a_profile_may_name_it(read_dags: ReadDags, tmp_path: Path) -> None:
    profiles, scenarios = tmp_path / "profiles", tmp_path / "scenarios"
    for folder in (profiles, profiles / "own", scenarios):
        folder.mkdir()
    # Never opened by the Dag processor: what is in them is the plan's to judge.
    (scenarios / "orders.yaml").write_text("schema: order.avsc\n")
    (scenarios / "beats.py").write_text("raise RuntimeError('not when Dags are read')\n")
    (scenarios / "no name.yaml").write_text("schema: order.avsc\n")
    (profiles / "own" / "tides.yaml").write_text("schema: tide.avsc\n")
    (profiles / "orders_daily.yaml").write_text("schedule: '@daily'\nscenario: orders\n")
    (profiles / "tides_daily.yaml").write_text("schedule: '@daily'\nscenario: own/tides.yaml\ntopic: sea\n")
    (profiles / "shop_daily.yaml").write_text("schedule: '@daily'\nscenario: clikstream\n")
    found = read_dags(PROJECT_ROOT / "dags", profiles, STREAMPROOF_SCENARIO_PATH=str(scenarios))
    dags = found["dags"]
    assert set(dags) == BY_HAND | {
        "rehearse_orders",
        "rehearse_beats",
        "recurring_orders_daily",
        "recurring_tides_daily",
    }
    assert dags["rehearse_orders"]["params"]["topic"]["default"] == "orders"
    # A file declares no options; what a module declares, only its code says: one field takes them all.
    assert "options" not in dags["rehearse_orders"]["params"]
    assert dags["rehearse_beats"]["params"]["options"]["section"] == "Scenario options"
    assert dags["recurring_orders_daily"]["params"]["topic"]["default"] == "orders"
    assert dags["recurring_tides_daily"]["params"]["topic"]["default"] == "sea"
    assert {"recurring", "tides"} <= set(dags["recurring_tides_daily"]["tags"])
    assert found["heavy"] == []
    ((file, error),) = found["errors"].items()
    assert Path(file).name == "recurring_faults.py"
    assert "unknown scenario 'clikstream'. Did you mean clickstream?" in error
    assert "'no name' cannot be part of a Dag's name" in error


def test_a_folder_of_scenarios_that_is_not_there_is_an_import_error(read_dags: ReadDags, tmp_path: Path) -> None:
    gone = str(tmp_path / "gone")
    found = read_dags(PROJECT_ROOT / "dags", PROJECT_ROOT / "profiles", STREAMPROOF_SCENARIO_PATH=gone)
    assert set(found["dags"]) == BY_HAND | {"recurring_steady_hourly"}
    ((file, error),) = found["errors"].items()
    assert Path(file).name == "recurring_faults.py"
    assert f"no such folder: {gone}" in error


def test_between_generators_and_audit_of_your_pipeline_stands_nothing_but_your_pipeline(found: dict[str, Any]) -> None:
    tasks = found["dags"]["rehearse_your_pipeline"]["tasks"]
    assert {name: task["upstream"] for name, task in tasks.items()} == {
        "plan": [],
        "ensure_topics": ["plan"],
        "schema_gate": ["ensure_topics"],
        "generate": ["plan", "schema_gate"],
        "incidents": ["schema_gate"],
        "incidents_over": ["incidents"],
        "your_consumer": ["generate", "incidents_over"],
        "audit_sink": ["your_consumer"],
        "report": ["audit_sink"],
    }
    # The leaf decides the colour of the run, and no warehouse of ours is touched.
    assert odd_rules(tasks) == {"incidents_over": "all_done", "report": "all_done"}
    assert {task["pool"] for task in tasks.values()} == {"default_pool"}


def test_the_form_of_your_pipeline_has_the_switch_and_asks_for_no_warehouse_of_ours(found: dict[str, Any]) -> None:
    params = found["dags"]["rehearse_your_pipeline"]["params"]
    main = [name for name, param in params.items() if param.get("section") is None]
    assert main == [
        *("rate", "full_speed", "seconds", "shards", "seed", "topic"),
        *("consumer_fault", "at", "conn_id", "wait"),
    ]
    assert params["consumer_fault"]["enum"] == ["none", "lose", "double", "round", "all"]
    assert params["consumer_fault"]["values_display"].keys() == set(params["consumer_fault"]["enum"])
    assert {param.get("section") for param in params.values()} == {None, "Load", "Incidents"}
    assert (params["topic"]["default"], params["consumer_fault"]["default"]) == ("your_pipeline", "none")


def test_totals_are_counted_beside_the_generators_and_the_report_is_red_unless_they_are_proved(
    found: dict[str, Any],
) -> None:
    tasks = found["dags"]["count_events"]["tasks"]
    assert {name: sorted(task["upstream"]) for name, task in tasks.items()} == {
        "plan": [],
        "ensure_topics": ["plan"],
        "ensure_totals_topic": ["plan"],
        "generate": ["ensure_topics", "ensure_totals_topic", "plan"],
        "count": ["ensure_topics", "ensure_totals_topic"],
        "incidents": ["ensure_topics", "ensure_totals_topic"],
        "incidents_over": ["incidents"],
        "audit_totals": ["count", "generate", "incidents_over"],
        "report": ["audit_totals"],
    }
    # What became of the incidents decides nothing, and there is a page whatever the audit says.
    assert odd_rules(tasks) == {"incidents_over": "all_done", "report": "all_done"}
    assert {task["pool"] for task in tasks.values()} == {"default_pool"}


def test_the_form_of_a_count_asks_for_both_topics_and_how_long(found: dict[str, Any]) -> None:
    params = found["dags"]["count_events"]["params"]
    defaults = {name: params[name]["default"] for name in ("topic", "totals_topic", "every", "count_for")}
    assert defaults == {
        "topic": "event-topic",
        "totals_topic": "unique-event-topic",
        "every": "event",
        "count_for": "10m",
    }
    assert not any("warehouse" in name or name.startswith("fault") for name in params)
    assert params["incidents"]["section"] == "Incidents"


def test_a_lake_is_written_when_all_is_sent_and_judged_with_its_table(found: dict[str, Any]) -> None:
    dag = found["dags"]["rehearse_click_stream_lake"]
    tasks, feeds = dag["tasks"], ("click_stream", "click_stream_metadata")
    assert {name: task["upstream"] for name, task in tasks.items()} == {
        "plan": [],
        **{f"ensure_{feed}": ["plan"] for feed in feeds},
        **{f"gate_{feed}": [f"ensure_{feed}"] for feed in feeds},
        "generate": [*(f"gate_{feed}" for feed in feeds), "plan"],
        "lake": ["generate"],
        "aggregate": ["lake"],
        "audit_clicks": ["lake"],
        "audit_articles": ["lake"],
        "audit_aggregate": ["aggregate"],
        "report": ["audit_aggregate", "audit_articles", "audit_clicks"],
    }
    # Hive's embedded metastore takes one process, and a lake one job.
    assert {name for name, task in tasks.items() if task["pool"] == "lake"} == {"lake", "aggregate"}
    # The leaf decides the colour of the run, and says the verdict whatever became of the rest.
    assert odd_rules(tasks) == {"report": "all_done"}


def test_the_form_of_a_lake_can_be_left_as_it_is(found: dict[str, Any]) -> None:
    params = found["dags"]["rehearse_click_stream_lake"]["params"]
    main = [name for name, param in params.items() if param.get("section") is None]
    assert main == ["folder", "rate", "speed", "shards", "topic", "metadata_topic", "lake"]
    assert params["table_format"]["enum"] == ["parquet", "delta"]
    assert params["spark_conn_id"]["default"] is None


def test_both_groups_work_beside_the_generators_and_are_each_judged(found: dict[str, Any]) -> None:
    tasks = found["dags"]["rehearse_journeys"]["tasks"]
    assert {name: task["upstream"] for name, task in tasks.items()} == {
        "plan": [],
        "ensure_topics": ["plan"],
        "schema_gate": ["ensure_topics"],
        "begin_groups": ["schema_gate"],
        "generate": ["begin_groups", "plan"],
        "journey": ["begin_groups"],
        "analytic": ["begin_groups"],
        "incidents": ["begin_groups"],
        "incidents_over": ["incidents"],
        "audit_journey": ["begin_groups", "generate", "incidents_over", "journey"],
        "audit_analytic": ["analytic", "begin_groups", "generate", "incidents_over"],
        "report": ["audit_analytic", "audit_journey"],
    }
    assert odd_rules(tasks) == {"incidents_over": "all_done", "report": "all_done"}
    params = found["dags"]["rehearse_journeys"]["params"]
    assert params["incidents"]["section"] == "Incidents"
    assert (params["journey_instances"]["default"], params["analytic_instances"]["default"]) == (3, 2)
    assert params["kill_after"]["type"] == ["null", "number"]
