"""What a scenario declares that it may be asked for: read, bounded, kept, and the same wherever it is said."""

from __future__ import annotations

import pickle
from dataclasses import fields

import pytest

from cluster.errors import Misconfigured
from plugins.form.profiles import Profile
from plugins.form.scenario_settings import rehearsal_for
from plugins.form.settings import FAULT_FIELDS, Rehearsal
from producer import ProduceRequest
from producer.plan.agreement import asked_of
from producer.plan.unchanged import refuse_other_settings
from producer.preview.preview import preview
from producer.scenarios import Asked, find_scenario
from producer.scenarios.find import OPTIONS, SCENARIOS, options_known
from producer.scenarios.options import RESERVED, Option, fit, fitted, pairs
from schemas.manifest import Manifest, SchemaUsed
from streamproof.cli import run
from streamproof.flags.sample import SAMPLE_FLAGS
from tests.unit.producer.scenarios.test_places import MODULE, SCHEMA, UNSAID

DECLARED = (
    Option("depth", int, "How deep.", default=3, least=1, most=9),
    Option("share", float, "How much.", above=0, most=1),
    Option("mode", str, "In which way.", default="slow", choices=("slow", "fast")),
    Option("loud", bool, "Whether it is heard."),
)
USED = SchemaUsed(subject="t-value", version=1, id=1)


@pytest.fixture
def beats(tmp_path):
    declared = 'options = [Option("depth", int, "How many sensors.", default=7, least=1, most=99, over_shards=False)]'
    told = MODULE.replace(UNSAID, f"    {declared}\n    most = 1_000_000\n    mix = 'sensor'\n")
    told = told.replace("NOTHING_MORE\n", "NOTHING_MORE, Option\n", 1)
    told = told.replace("return {}\n", 'return {"sensors": asked.options["depth"]}\n', 1)
    told = told.replace("return Ticks()", 'return Ticks(settings["sensors"])')
    told = told.replace(
        "    def block", "    def __init__(self, sensors):\n        self.sensors = sensors\n\n    def block"
    )
    (tmp_path / "beats.py").write_text(told.replace("n % 7", "n % self.sensors"))
    (tmp_path / "beat.avsc").write_text(SCHEMA)
    return str(tmp_path / "beats.py")


def request(scenario="clickstream", **more):
    return ProduceRequest(**{"topic": "t", "run_id": "r", "scenario": scenario, "seconds": 5} | more)


def test_options_are_read_in_the_types_that_are_declared():
    given = {"depth": "5", "share": "0.5", "mode": "fast", "loud": "yes"}
    asked, faults = fit(DECLARED, given, "x")
    assert (dict(asked), faults) == ({"depth": 5, "share": 0.5, "mode": "fast", "loud": 1}, [])
    assert fit(DECLARED, asked, "x") == (asked, [])


def test_what_is_the_same_as_not_asking_is_left_out():
    assert fit(DECLARED, {"depth": 3, "share": None, "mode": "slow", "loud": False}, "x") == ({}, [])


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"depht": 4}, "scenario x takes no option depht, did you mean depth?"),
        ({"zzz": 4}, r"scenario x takes no option zzz\. Options that it takes: depth, share, mode, loud"),
        ({"depth": "deep"}, "depth: 'deep' is not a whole number"),
        ({"depth": 2.5}, "depth: 2.5 is not a whole number"),
        ({"depth": 0}, "depth: 0 is too small, it must be 1 or more"),
        ({"depth": 10}, "depth: 10 is too large, it must be 9 or less"),
        ({"share": "0"}, "share: '0' is too small, it must be above 0"),
        ({"share": "nan"}, "share: 'nan' is not a number"),
        ({"mode": "quick"}, "mode: 'quick' is not one of 'slow' or 'fast'"),
        ({"loud": "perhaps"}, "loud: 'perhaps' is neither true nor false"),
        ({"depth": 0, "mode": "quick"}, "depth: .*; mode: "),
    ],
)
def test_an_option_that_cannot_be_says_why(given, told):
    with pytest.raises(Misconfigured, match=told):
        fitted(DECLARED, given, "x")


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"name": "events"}, "means something else in a run"),
        ({"name": "fault_late"}, "means something else in a run"),
        ({"name": "Depth"}, "small letters"),
        ({"type": list}, "int, float, bool or str"),
        ({"default": 12, "most": 9}, "12 is too large"),
        ({"type": str, "least": 3}, "only numbers have bounds"),
        ({"choices": ("a",)}, "only texts have choices"),
        ({"default": 3, "ends_run": True}, "has no default"),
        ({"type": float, "over_shards": True}, "only whole numbers are shared"),
        ({"flag": "-d"}, "begins with --"),
    ],
)
def test_a_declaration_that_contradicts_itself_is_refused(wrong, told):
    with pytest.raises(ValueError, match=told):
        Option(**{"name": "depth", "type": int, "help": "How deep."} | wrong)


def test_no_option_may_take_the_name_of_something_that_every_run_has():
    asked = {field.name for field in fields(ProduceRequest) if field.init}
    names = {*asked, *Profile.model_fields, *request(events=5).plan.settings()}
    assert {name for name in names if not name.startswith(FAULT_FIELDS)} <= RESERVED


def test_options_of_the_command_line_are_pairs():
    assert pairs(["a=1", "b-c=x=y", "d"]) == {"a": "1", "b_c": "x=y", "d": "true"}
    for wrong, told in ((["=3"], "has no name"), (["a=1", "a=2"], "given twice")):
        with pytest.raises(Misconfigured, match=told):
            pairs(wrong)


def test_what_a_scenario_declares_is_known_without_its_code():
    for name, make in SCENARIOS.items():
        assert make().options == OPTIONS[name] == options_known(name)
    assert options_known("orders.yaml") == ()
    assert options_known("mine/beats.py") is None


def test_the_form_and_the_profile_have_the_fields_that_the_scenario_declares():
    for name, declared in OPTIONS.items():
        assert [*rehearsal_for(name).model_fields] == [*Rehearsal.model_fields, *(option.name for option in declared)]


def test_the_flags_that_options_had_before_are_told_by_the_declaration():
    for declared in OPTIONS.values():
        assert all(SAMPLE_FLAGS[flag.lower()] == option.flag for option in declared for flag in option.formerly)


def test_a_module_of_somebody_else_declares_options_as_ours_do(beats, capsys):
    assert preview(beats, events=250).keys == 7
    assert preview(beats, events=250, options={"depth": 20}).keys == 20
    assert run(["preview", beats, "--events", "200", "-o", "depth=12"]) == 0
    assert run(["preview", beats, "-o", "depth=100"]) == 78
    assert "depth: '100' is too large, it must be 99 or less" in capsys.readouterr().err
    asked = request(beats, options={"depth": "12"})
    assert (dict(asked.plan.options), asked.plan.settings()["depth"]) == ({"depth": 12}, 12)
    assert asked_of(request(beats).plan, find_scenario(beats)) == Asked(options={"depth": 7})
    with pytest.raises(Misconfigured, match=r"no option dept, did you mean depth\?.*Options that it takes: depth"):
        request(beats, options={"dept": 3})


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ("frozenset({'users'})", "not an option: 'users'.* Declare each as"),
        ("'users'", "options is a str, it must be a list of options"),
        ("2 * (Option('a', int, 'A.'),)", "declared twice: option a"),
        ("(Option('events', int, 'A.'),)", "means something else in a run"),
    ],
)
def test_a_module_that_declares_something_else_is_refused(tmp_path, options, told):
    (tmp_path / "beats.py").write_text(
        MODULE.replace("options = frozenset()", f"options = {options}").replace(
            "NOTHING_MORE\n", "NOTHING_MORE, Option\n", 1
        )
    )
    with pytest.raises(Misconfigured, match=told):
        find_scenario(str(tmp_path / "beats.py"))


def test_a_plan_is_the_same_in_the_process_of_a_worker():
    asked = request(options={"users": "7", "no_delay": True}, shards=2)
    assert pickle.loads(pickle.dumps(asked.plan)) == asked.plan
    assert asked.plan.for_shard(1).shard_options == {"users": 3, "no_delay": 1}


def begun(**settings):
    """Return a manifest as it was written before options were declared."""
    scenario = find_scenario("clickstream")
    libraries = scenario.libraries()
    rest = {"events": None, "seconds": 5, "shape": None, "catch_up": "report", "endless": 0}
    rest |= {"faults": None, "next_version": None}
    return Manifest(
        status="running",
        run_id="r",
        shard=0,
        shards=2,
        topic="t",
        scenario="clickstream",
        scenario_version=scenario.version,
        seed=1,
        settings=settings | rest | {"event_time_start_ms": 1, **libraries},
        common=sorted({*settings, *rest, *libraries} - {"users"}),
        schema_used=USED,
        started_at="2026-11-20T12:00:00.000+00:00",
    )


def continued(earlier, **options):
    refuse_other_settings(request(options=options, shards=2).plan, find_scenario("clickstream"), USED, earlier)


def test_a_run_that_was_begun_before_options_were_declared_goes_on():
    continued(begun(all_users=20, users=10, no_delay=1), users=20, no_delay=True)
    continued(begun())


@pytest.mark.parametrize(
    ("earlier", "now", "told"),
    [
        ({"all_users": 20, "users": 10}, {"users": 40}, "all_users was 20, is now 40; users was 10, is now 20"),
        ({"all_users": 20, "users": 10}, {}, "all_users was 20, is now None"),
        ({"no_delay": 1}, {}, "no_delay was 1, is now False"),
        ({}, {"no_delay": True}, "no_delay was None, is now 1"),
    ],
)
def test_a_run_does_not_go_on_with_other_options(earlier, now, told):
    with pytest.raises(Misconfigured, match=told):
        continued(begun(**earlier), **now)
