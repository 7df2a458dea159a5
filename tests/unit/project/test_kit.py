"""What the tests themselves stand on: they wait with a deadline, and run beside each other only where that is right."""

from __future__ import annotations

import itertools
import subprocess
import sys
import tomllib

import pytest

from tests.kit import ROOT
from tests.kit.commands import streamproof
from tests.kit.depth import VARIABLE
from tests.kit.order import LONGEST_FIRST, TOGETHER, group_of
from tests.kit.seconds import TooSlow, held
from tests.kit.waiting import wait_until


def test_waiting_returns_what_came_true_and_fails_with_what_did_not():
    numbers = itertools.count()
    assert wait_until(lambda: next(numbers) > 2 and "three", "three", poll_s=0) == "three"
    with pytest.raises(AssertionError, match=r"waited 0.05 s for nothing; the last answer: False"):
        wait_until(lambda: False, "nothing", timeout_s=0.05)


def test_waiting_ends_with_the_process_that_was_to_make_it_true():
    with (
        subprocess.Popen([sys.executable, "-c", "print('its last words')"], stdout=subprocess.PIPE, text=True) as ended,
        pytest.raises(AssertionError, match=r"ended before anything.*its last words"),
    ):
        wait_until(lambda: False, "anything", while_runs=ended)


def test_groups_name_tests_that_there_are():
    """A test that was renamed would run beside what it must not run beside."""
    for name in itertools.chain(*TOGETHER.values()):
        module, _, test = name.partition("::")
        files = list(ROOT.glob(f"{module}*"))
        assert files, name
        assert f"def {test}" in files[0].read_text(), name
    for group in LONGEST_FIRST:
        assert group in TOGETHER or (ROOT / group).is_file(), group


def test_a_test_is_in_the_group_that_names_it_or_in_its_module():
    limit = "tests/integration/producer/test_produce.py::test_seconds_end_a_run_within_one_second_of_the_limit"
    assert group_of(limit) == "timing"
    assert group_of("tests/integration/producer/test_produce.py::test_a_missing_topic_is_named") == (
        "tests/integration/producer/test_produce.py"
    )


def test_a_depth_that_is_not_known_is_refused():
    code = "import tests.kit.depth"
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env={VARIABLE: "deeep"}, capture_output=True, text=True, check=False
    )
    assert f"{VARIABLE} is 'deeep': it must be ordinary or deep" in ran.stderr


def test_a_command_in_this_process_gives_what_a_shell_would_see(tmp_path):
    ended = streamproof("status", "--json", env={"STREAMPROOF_STATE_DIR": str(tmp_path)})
    assert (ended.exit_code, ended.document["error"]["kind"]) == (69, "DependencyDown")
    assert "error" in ended.stderr


@pytest.mark.parametrize(("error", "tries"), [("TooSlow('late')", 3), ("AssertionError('wrong')", 1)])
def test_what_was_late_is_tried_again_and_what_was_wrong_is_not(tmp_path, error, tries):
    (tmp_path / "test_it.py").write_text(
        "from pathlib import Path\n"
        "from tests.kit.seconds import TooSlow\n\n"
        "def test_it():\n"
        "    with Path(__file__).with_name('tries').open('a') as file:\n"
        "        file.write('x')\n"
        f"    raise {error}\n"
    )
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    options = project["tool"]["pytest"]["ini_options"]["addopts"].split()
    command = [sys.executable, "-m", "pytest", *options[options.index("--reruns") :], f"--rootdir={tmp_path}"]
    ran = subprocess.run([*command, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == pytest.ExitCode.TESTS_FAILED, ran.stdout + ran.stderr
    assert (tmp_path / "tries").read_text() == "x" * tries


def test_what_takes_too_long_is_named():
    held(3.9, 4, "the exit")
    with pytest.raises(TooSlow, match=r"the exit took 4\.0 s; less than 4 s are promised"):
        held(4.0, 4, "the exit")
