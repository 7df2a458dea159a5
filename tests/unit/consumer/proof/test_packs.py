"""What a scenario brings for those who judge and read its events: found by its name, and said where it is not there."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from cluster.errors import Misconfigured, VerdictFailed
from consumer.proof.checks import CheckResult, run_checks
from consumer.publish.publish import Publication, publish
from consumer.report import write_report
from consumer.sinks.duckdb.warehouse import open_warehouse
from consumer.verify import verify_publication
from consumer.verify.checks import prove_checks
from schemas.packs import find_pack, queries_of

RUN, TOPIC = "rehearsal/one", "customer_events"
CHECK = """-- severity: {severity}
-- description: Nobody is nobody.
-- needs: events.user_id, run
SELECT count(*) AS offending, 'nobody' AS detail FROM run_events WHERE user_id = '{user}' HAVING count(*) > 0
"""
MART = """-- description: Events by customer.
-- needs: events.user_id
SELECT _run_id AS run_id, user_id AS customer, count(*) AS events FROM events GROUP BY ALL
"""
FIGURE = """-- title: By customer
-- description: {{total}} events by customer.
-- kind: {kind}
-- needs: events.user_id
SELECT user_id AS customer, {value} AS events FROM run_events GROUP BY 1
"""
TOLD = {"checks/nobody": "blocking", "checks/hint": "warning", "figures/customers": "", "marts/customers": ""}


def write_pack(folder: Path, *, user: str = "nobody", kind: str = "shares", value: str = "count(*)") -> Path:
    """Write the pack of a scenario ``shop``."""
    pack = folder / "shop.pack"
    for name, text in {
        "checks/nobody.sql": CHECK.format(severity="blocking", user=user),
        "checks/hint.sql": CHECK.format(severity="warning", user="nobody"),
        "marts/customers.sql": MART,
        "figures/customers.sql": FIGURE.format(kind=kind, value=value),
    }.items():
        (pack / name).parent.mkdir(parents=True, exist_ok=True)
        (pack / name).write_text(text)
    return pack


@pytest.fixture
def shop(lab: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A run of a scenario of somebody's own, whose pack is in a folder of the scenario path."""
    folder = tmp_path / "scenarios"
    folder.mkdir()
    write_pack(folder)
    monkeypatch.setenv("STREAMPROOF_SCENARIO_PATH", str(folder))
    for shard in (0, 1):
        lab.amend(shard, scenario="shop", pack=TOLD)
    assert lab.audit().verdict == "PASSED"
    return lab


@pytest.fixture
def elsewhere(shop: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The same on a machine that has not got the pack."""
    monkeypatch.delenv("STREAMPROOF_SCENARIO_PATH")
    return shop


def found(lab: Any) -> dict[str, CheckResult]:
    return {result.check: result for result in run_checks(lab.path, RUN).results}


def publish_it(lab: Any) -> Publication:
    return publish(lab.path, TOPIC, RUN, lab.publications)


def page_of(lab: Any) -> tuple[str, dict[str, Any]]:
    path = write_report(lab.path, TOPIC, RUN, lab.publications).path
    return path.read_text(), json.loads(path.with_name("summary.json").read_text())


def folder_of(lab: Any) -> Path:
    return Path(lab.publications) / TOPIC


def tables(publication: Publication) -> set[str]:
    with duckdb.connect(str(publication.database), read_only=True) as reader:
        return {name for (name,) in reader.execute("SELECT table_name FROM duckdb_tables()").fetchall()}


def test_a_pack_is_found_by_the_name_of_its_scenario(tmp_path: Path) -> None:
    pack = write_pack(tmp_path)
    assert find_pack("shop", env={"STREAMPROOF_SCENARIO_PATH": f"/none:{tmp_path}"}) == pack
    assert find_pack("shop", env={}) is None
    assert find_pack("shop", beside=tmp_path, env={}) == pack
    assert queries_of(pack) == TOLD
    assert queries_of(None) == {}
    ours = find_pack("customer_events", beside=tmp_path, env={})
    assert ours is not None
    assert ours.parts[-3:] == ("scenarios", "customer_events", "pack")


@pytest.mark.parametrize("name", ["../shop", "/etc", "a/b", "", ".", "..", "x" * 101, "shop\n"])
def test_no_name_leads_out_of_the_folders(tmp_path: Path, name: str) -> None:
    write_pack(tmp_path)
    (tmp_path / "in").mkdir()
    assert find_pack(name, beside=tmp_path / "in", env={"STREAMPROOF_SCENARIO_PATH": str(tmp_path / "in")}) is None


def test_a_run_is_held_against_the_pack_of_its_scenario_and_no_other(shop: Any) -> None:
    results = found(shop)
    assert {"nobody", "hint", "volume_per_shard"} <= results.keys()
    assert results["nobody"].passed is True
    assert "play_figures" not in results, "that is for another scenario's events"
    publication = publish_it(shop)
    assert {"customers", "partition_skew"} <= tables(publication)
    assert "plays_by_genre_and_device" not in tables(publication)
    assert verify_publication(folder_of(shop)).verdict == "PASSED"
    page, summary = page_of(shop)
    assert "600 events by customer." in page
    assert "Plays by genre" not in page
    assert sum(count for _, count in summary["figures"]["customers"]) == 600


def test_a_blocking_check_of_a_pack_keeps_a_run_from_readers(shop: Any, tmp_path: Path) -> None:
    ((user,),) = shop.sql("SELECT min(user_id) FROM events")
    write_pack(tmp_path / "scenarios", user=user)
    result = found(shop)["nobody"]
    assert (result.passed, result.detail) == (False, "nobody")
    with pytest.raises(VerdictFailed, match="blocking checks failed: nobody"):
        publish_it(shop)


def test_what_was_not_run_is_said_and_has_not_passed(elsewhere: Any) -> None:
    results = found(elsewhere)
    for name, severity in (("nobody", "blocking"), ("hint", "warning")):
        assert (results[name].severity, results[name].passed, results[name].offending) == (severity, False, 0)
        assert results[name].detail.startswith("not run: the pack of the scenario shop is not on this machine; name")
    assert results["volume_per_shard"].passed is True
    with pytest.raises(VerdictFailed, match=r"nobody \(not run: the pack of the scenario shop is not on this machine"):
        publish_it(elsewhere)
    page, summary = page_of(elsewhere)
    assert "customers is not drawn: the pack of the scenario shop is not on this machine" in page
    assert summary["undrawn"]


def test_what_a_manifest_calls_a_query_is_believed_only_where_it_can_be_one(elsewhere: Any) -> None:
    odd = {"checks/../../etc": "warning", "checks/[red]": "warning", "other/x": "warning", "checks/fair": "fatal"}
    for shard in (0, 1):
        elsewhere.amend(shard, pack=odd)
    elsewhere.audit()
    not_run = {name: each.severity for name, each in found(elsewhere).items() if each.detail.startswith("not run")}
    assert not_run == {"fair": "blocking"}


def test_a_mart_that_could_not_be_made_is_said(elsewhere: Any) -> None:
    for shard in (0, 1):
        elsewhere.amend(shard, pack={"marts/customers": ""})
    elsewhere.audit()
    run_checks(elsewhere.path, RUN)
    publication = publish_it(elsewhere)
    (said,) = publication.absent
    assert said.startswith("customers: not made: the pack of the scenario shop is not on this machine")
    assert "customers" not in tables(publication)


def test_what_cannot_be_looked_at_again_is_unknown(shop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    run_checks(shop.path, RUN)
    publish_it(shop)
    monkeypatch.delenv("STREAMPROOF_SCENARIO_PATH")
    with open_warehouse(shop.path) as warehouse:
        proof = prove_checks(warehouse)
    assert proof.verdict == "UNKNOWN"
    assert any("nobody was not run again: the pack of the scenario shop" in each for each in proof.unknown)
    judged = verify_publication(folder_of(shop))
    assert judged.verdict == "UNKNOWN"
    assert "customers was not made again" in judged.reason


def test_a_result_that_somebody_calls_not_run_is_no_pass(shop: Any) -> None:
    run_checks(shop.path, RUN)
    shop.sql("UPDATE check_results SET detail = 'not run: so' WHERE check_name = 'nobody'")
    with open_warehouse(shop.path) as warehouse:
        assert any("nobody" in fault for fault in prove_checks(warehouse).faults)


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ("DELETE FROM marts WHERE mart = 'customers'", "customers"),
        ("DELETE FROM marts WHERE mart = 'partition_skew'", "partition_skew"),
        ("UPDATE marts SET scenario = 'other' WHERE mart = 'partition_skew'", "partition_skew"),
        ("INSERT INTO marts VALUES ('customers', 'shop')", "customers"),
        ("INSERT INTO marts VALUES ('invented', NULL)", "invented"),
        ("DROP TABLE customers", "customers"),
    ],
)
def test_a_snapshot_that_says_something_else_of_its_marts_is_found(shop: Any, statement: str, named: str) -> None:
    run_checks(shop.path, RUN)
    database = publish_it(shop).database.resolve()
    database.chmod(0o600)
    with duckdb.connect(str(database)) as connection:
        connection.execute(statement)
    judged = verify_publication(folder_of(shop))
    assert judged.verdict == "FAILED"
    assert named in judged.reason


@pytest.mark.parametrize(
    ("kind", "value", "told"),
    [
        ("shares", "nope", "customers is not drawn: Binder Error"),
        ("shares", "'many'", "customers is not drawn: the column events does not hold numbers alone"),
        ("pie", "count(*)", "its kind is pie, and not one of heatmap, shares, percent"),
        ("heatmap", "count(*)", "a drawing of the kind heatmap has at least 3 columns"),
        ("percent", "count(*)", "it does not say which column is its bar"),
    ],
)
def test_a_drawing_that_cannot_be_made_says_why(shop: Any, tmp_path: Path, kind: str, value: str, told: str) -> None:
    write_pack(tmp_path / "scenarios", kind=kind, value=value)
    page, summary = page_of(shop)
    assert any(told in each for each in summary["undrawn"])
    assert "is not drawn" in page


@pytest.mark.parametrize(
    ("kind", "name", "told"),
    [
        ("checks", "volume_per_shard", "volume_per_shard has a name that is taken"),
        ("marts", "runs", "runs has a name that is taken"),
        ("marts", "partition_skew", "partition_skew has a name that is taken"),
    ],
)
def test_a_pack_takes_no_name_of_something_else(shop: Any, tmp_path: Path, kind: str, name: str, told: str) -> None:
    run_checks(shop.path, RUN)
    pack = tmp_path / "scenarios" / "shop.pack" / kind
    next(iter(sorted(pack.glob("*.sql")))).rename(pack / f"{name}.sql")
    judge: Callable[[], object] = (lambda: run_checks(shop.path, RUN)) if kind == "checks" else lambda: publish_it(shop)
    with pytest.raises(Misconfigured, match=told):
        judge()


def test_a_manifest_of_an_earlier_version_is_judged_by_the_pack_of_its_scenario(proved: Any) -> None:
    assert all(manifest.pack == {} for manifest in proved.control.manifests.values())
    assert found(proved)["play_figures"].passed is True
    assert "plays_by_genre_and_device" in tables(publish_it(proved))
