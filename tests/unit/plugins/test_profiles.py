"""Profiles: every fault is named, with the file and the nearest key that exists."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster.errors import Misconfigured
from cluster.local import PROJECT_ROOT
from plugins.form.profiles import load_profile, profiles_dir, read_profiles
from plugins.form.scenario_settings import rehearsal_of
from plugins.form.settings import Rehearsal


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("rate: -1", "rate: -1 is too small, it must be 1 or more"),
        ("rate: fast", "rate: 'fast' is not a number"),
        ("seconds: 0", "seconds: 0 is too small, it must be 1 or more"),
        ("shards: 17", "shards: 17 is too large, it must be 16 or less"),
        ("events: 0", "events: 0 is too small, it must be 1 or more"),
        ("topic: a b", "topic: 'a b' cannot be a topic here: letters, digits, '.', '_' and '-'"),
        ("topic: ../up", "beginning with a letter or digit"),
        ("topic: customer_events.manifests", "not ending in '.manifests'"),
        ("seconds: 1.5", "seconds: 1.5 is not a whole number"),
        ("scenario: clickstream\nno_delay: perhaps", "no_delay: 'perhaps' is neither true nor false"),
        ("topic: [a]", "topic: ['a'] is not text"),
        ("{rate: 0, full_speed: false}", "rate 0 means as fast as possible, and full_speed is false"),
        ("scenario: clickstream\nusers: 0", "users: 0 is too small, it must be 1 or more"),
        ("time_compression: 0", "time_compression: 0 is too small, it must be above 0"),
        ("schema_version: 0", "schema_version: 0 is too small, it must be 1 or more"),
        ("scenario: clikstream", "unknown scenario 'clikstream'. Did you mean clickstream?"),
        ("scenario: ./orders.yaml", "there is no scenario file ./orders.yaml"),
        ("rtae: 5", "unknown key 'rtae', did you mean 'rate'?"),
        ("something_else: 5", "unknown key 'something_else': scenario customer_events takes no option something_else"),
        ("users: 5", "unknown key 'users': scenario customer_events takes no option users"),
        ("scenario: clickstream\nuser: 5", "unknown key 'user', did you mean 'users'?"),
        ('incidents: "10s: stp broker 2 for 5s"', "unknown kind stp, did you mean stop?"),
        ('incidents: "20s: stop broker 2 for 15s"', "ends after the run, which takes 30s"),
        ('{incidents: "1s: stop broker 2 for 15s", shape: "constant(5, 10s)"}', "which takes 10s"),
        ("- rate", "not a mapping"),
        ("", "not a mapping"),
        ("rate: [1", "not YAML"),
    ],
)
def test_a_profile_that_cannot_be_used_says_why_and_where(tmp_path: Path, content: str, fault: str) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(content)
    with pytest.raises(Misconfigured) as raised:
        load_profile(path)
    assert fault in str(raised.value)
    assert raised.value.where == str(path)


@pytest.mark.parametrize(
    ("content", "asked"),
    [
        ("rate: 5", None),
        ('incidents: ""', None),
        ('incidents: "5s:kill broker 1 for 1s"', "5s: kill broker 1 for 1s"),
        (
            'incidents: ["9s: stop registry for 1s", "5s: kill broker 1 for 1s"]',
            "5s: kill broker 1 for 1s; 9s: stop registry for 1s",
        ),
    ],
)
def test_a_profile_asks_for_incidents_as_a_text_or_a_list(tmp_path: Path, content: str, asked: str | None) -> None:
    path = tmp_path / "rough.yaml"
    path.write_text(content)
    rehearsal = load_profile(path).rehearsal()
    assert rehearsal.incidents == asked
    assert rehearsal.request()["incidents"] == ([] if asked is None else [asked])


def test_no_fault_of_a_profile_is_told_in_the_words_of_a_library(tmp_path: Path) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text("rate: fast\nseconds: -3\nshape: 'ramp(1)'\nfaults: {dropped: 2, duplicate: x}\ntopic: 'a b'\n")
    with pytest.raises(Misconfigured) as raised:
        load_profile(path)
    for word in ("Value error", "Input should", "unable to parse", "valid number", "validation"):
        assert word not in str(raised.value)


def test_full_speed_is_a_choice_of_its_own_and_rate_0_still_means_it(tmp_path: Path) -> None:
    path = tmp_path / "fast.yaml"
    for content in ("rate: 0", "rate: 0.0\nfull_speed: true", "full_speed: true", "full_speed: true\nrate: 3000"):
        path.write_text(content)
        assert load_profile(path).rehearsal().request()["rate"] == 0
        assert "full_speed" not in load_profile(path).rehearsal().request()
    assert Rehearsal().request()["rate"] == 5000
    assert Rehearsal(rate=None).request()["rate"] is None


def test_all_faults_of_a_profile_are_named_at_once(tmp_path: Path) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text("rate: -1\nshards: 0\nsede: 1\n")
    with pytest.raises(Misconfigured) as raised:
        load_profile(path)
    assert all(name in str(raised.value) for name in ("rate", "shards", "'sede'"))


@pytest.mark.parametrize("name", ["Upper", "with-dash", "0first", "ünicode"])
def test_a_profile_needs_a_name_that_a_dag_can_have(tmp_path: Path, name: str) -> None:
    path = tmp_path / f"{name}.yaml"
    path.write_text("rate: 1")
    with pytest.raises(Misconfigured, match="cannot be part of a Dag's name"):
        load_profile(path)


def test_one_bad_profile_does_not_hide_the_good_ones(tmp_path: Path) -> None:
    (tmp_path / "good.yaml").write_text("rate: 1")
    (tmp_path / "bad.yaml").write_text("rate: -1")
    (tmp_path / "notes.txt").write_text("not a profile")
    (tmp_path / "short.yml").write_text("rate: 1")
    (tmp_path / "good.yml").write_text("rate: 2")
    profiles, faults = read_profiles(tmp_path)
    assert list(profiles) == ["good", "short"]
    assert [Path(fault.where).name for fault in faults] == ["bad.yaml", "good.yml"]
    assert "there are two profiles good" in str(faults[1])


def test_a_missing_folder_holds_no_profiles(tmp_path: Path) -> None:
    assert read_profiles(tmp_path / "none") == ({}, [])


def test_the_folder_of_profiles_can_be_set() -> None:
    assert profiles_dir({}) == PROJECT_ROOT / "profiles"
    assert profiles_dir({"STREAMPROOF_PROFILES_DIR": "/somewhere"}) == Path("/somewhere")


def test_our_own_profiles_are_valid_and_say_what_they_are_for() -> None:
    profiles, faults = read_profiles(PROJECT_ROOT / "profiles")
    assert faults == []
    assert profiles
    assert all(profile.description for profile in profiles.values())
    for profile in profiles.values():
        assert isinstance(profile.rehearsal(), Rehearsal)


def test_a_shape_may_be_text_or_mappings_and_takes_the_place_of_rate_and_duration(tmp_path: Path) -> None:
    path = tmp_path / "shaped.yaml"
    path.write_text("shape: [{ramp: {start: 0, end: 2k, duration: 90s}}, {constant: {rate: 2k, duration: 1h}}]")
    mapped = load_profile(path).rehearsal()
    path.write_text('shape: "ramp(0, 2000, 90s) + constant(2000, 1h)"')
    assert load_profile(path).rehearsal() == mapped
    asked = mapped.request()
    assert (asked["shape"], asked["rate"], asked["seconds"]) == ("ramp(0, 2000, 90s) + constant(2000, 1h)", 0, None)
    assert Rehearsal(shape="sine(0, 100, 10s)", seconds=45).request()["seconds"] == 45
    assert Rehearsal(shape="").request()["rate"] == 5000


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ('shape: "rmap(1, 2, 3s)"', "unknown shape 'rmap', did you mean 'ramp'? (character 1"),
        ("shape: {ramp: {strat: 1}}", "unknown field 'strat' of ramp, did you mean 'start'? (shape.ramp"),
        ('shape: "constant(1, 7h)"', "the shape lasts 25200 s, a run may last 21600 s"),
        ("catch_up: hurry", "catch_up: 'hurry' is not one of 'report' or 'skip'"),
        ("{catch_up: skip, rate: 0}", "catch-up skip needs a rate or a shape"),
        ("{require_rate: 95%, full_speed: true}", "require-rate needs a rate or a shape"),
        ("{next_version_ramp: true, full_speed: true}", "needs a number of events"),
    ],
)
def test_a_shape_that_cannot_be_used_says_why(tmp_path: Path, content: str, fault: str) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(content)
    with pytest.raises(Misconfigured) as raised:
        load_profile(path)
    assert fault in str(raised.value)


def test_faults_are_a_mapping_in_a_profile_and_fields_in_the_form(tmp_path: Path) -> None:
    path = tmp_path / "faulty.yaml"
    path.write_text("rate: 100\nfaults:\n  duplicate: 0.001\n  undecodable.truncated: 5\n  late: 1%,mean=1h\n")
    profile = load_profile(path)
    assert profile.rehearsal().request()["faults"] == [
        "undecodable.truncated=5",
        "duplicate=0.001",
        "late=0.01,mean=3600s",
    ]
    form = Rehearsal(fault_dropped=3, fault_hot_key=0.2, faults="tombstone=1")
    assert form.request()["faults"] == ["dropped=3", "hot_key=0.2", "tombstone=1"]
    assert not any(name.startswith("fault_") for name in form.request())
    assert Rehearsal().request()["faults"] == []


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("faults: {dupicate: 1}", "did you mean duplicate?"),
        ("faults: {dropped: 1}\nfault_dropped: 2", "dropped is given twice"),
        ("fault_dropped: 1.5", "neither a share below 1 nor a whole number"),
        ("next_version_share: 0.5\nnext_version_ramp: true", "both given"),
        ("next_version_share: 2", "2 is too large, it must be 1 or less"),
    ],
)
def test_faults_of_a_profile_are_checked_when_it_is_read(tmp_path: Path, content: str, fault: str) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(content)
    with pytest.raises(Misconfigured, match=fault.replace("?", r"\?")):
        load_profile(path)


def test_a_scenario_gives_its_name_to_the_topic_and_its_options_to_the_request(tmp_path: Path) -> None:
    path = tmp_path / "shop.yaml"
    path.write_text("scenario: clickstream\nusers: 500\nno_delay: true\nrate: null\nschema_version: 1\n")
    profile = load_profile(path)
    assert (profile.scenario, profile.topic) == ("clickstream", "clickstream")
    asked = profile.rehearsal().request()
    assert (asked["schema_version"], asked["rate"]) == (1, None)
    assert asked["options"] == {"users": 500, "no_delay": True}
    assert "scenario" not in asked
    path.write_text("scenario: clickstream\ntopic: shop\n")
    assert load_profile(path).topic == "shop"
    path.write_text("time_compression: 60\n")
    assert load_profile(path).scenario == "customer_events"
    assert load_profile(path).rehearsal().request()["options"] == {"time_compression": 60}


def test_a_profile_of_somebody_elses_code_gives_its_options_as_a_mapping_or_as_a_flag_would(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "beats.py").write_text("raise RuntimeError('not when profiles are read')")
    path = tmp_path / "daily.yaml"
    for said in ("{depth: 3, mode: slow and steady}", "depth=3 'mode=slow and steady'"):
        path.write_text(f"scenario: own/beats.py\noptions: {said}\n")
        assert load_profile(path).rehearsal().request()["options"] == {"depth": "3", "mode": "slow and steady"}
    path.write_text("scenario: own/beats.py\ndepth: 3\n")
    with pytest.raises(Misconfigured, match="scenario beats takes no option depth"):
        load_profile(path)
    path.write_text("scenario: own/beats.py\noptions: depth=3 depth=4\n")
    with pytest.raises(Misconfigured, match="option depth is given twice"):
        load_profile(path)


def test_a_scenario_file_is_found_beside_the_profile(tmp_path: Path) -> None:
    scenario = tmp_path / "own" / "orders.yaml"
    scenario.parent.mkdir()
    scenario.write_text("schema: order.avsc")
    path = tmp_path / "daily.yaml"
    path.write_text("scenario: own/orders.yaml")
    profile = load_profile(path)
    assert (profile.scenario, profile.topic) == (str(scenario), "orders")


def test_what_the_form_does_not_know_is_named() -> None:
    with pytest.raises(Misconfigured, match="unknown key 'fault_droped', did you mean 'fault_dropped'"):
        rehearsal_of({"fault_droped": 3}, "customer_events")


def test_a_profile_replays_files_beside_it_at_their_own_times(tmp_path: Path) -> None:
    from producer import ProduceRequest

    (tmp_path / "clicks").mkdir()
    path = tmp_path / "hourly.yaml"
    path.write_text(
        "scenario: click_stream\nschedule: '0 * * * *'\nfolder: clicks\nspeed: 60\nlongest_gap: 30\nshards: 2\n"
    )
    profile = load_profile(path)
    assert profile.topic == "click_stream"
    asked = profile.rehearsal().request()
    assert asked["options"]["folder"] == str(tmp_path / "clicks")
    request = ProduceRequest(topic=profile.topic, run_id="r", scenario="click_stream", **asked)
    assert request.plan.own_times
    assert (request.plan.shape, request.plan.ends_by_itself) == (None, True)


def test_a_speed_contradicts_a_shape_and_takes_the_place_of_the_rate() -> None:
    told = {"folder": "data", "speed": 1, "rate": 100}
    assert rehearsal_of(told, "click_stream").request()["rate"] == 0
    with pytest.raises(Misconfigured, match="speed sends events at their own times"):
        rehearsal_of(told | {"shape": "constant(5, 10s)"}, "click_stream")
    with pytest.raises(Misconfigured, match="catch-up skip and speed"):
        rehearsal_of(told | {"catch_up": "skip"}, "click_stream")
