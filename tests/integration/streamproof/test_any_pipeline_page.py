"""docs/any-pipeline.md, typed as it stands: what a reader is told to do works, and what it says comes out."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from cluster.local import LocalStack
from stack.ports import LOOPBACK
from stack.services.postgres import USER
from tests.kit import ROOT
from tests.kit.postgres import PostgresServer

PAGE = ROOT / "docs" / "any-pipeline.md"
TYPED_S = 240
# The session's stack runs already, and its PostgreSQL is none of its services.
NOT_TYPED = ("export PATH=", "streamproof up", "export PG=")

pytestmark = pytest.mark.timeout(TYPED_S + 60)


@dataclass(frozen=True)
class Typed:
    """A command, how it ended, and what it printed."""

    command: str
    exit_code: int
    printed: str


@pytest.fixture(scope="module")
def typed(stack: LocalStack, postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> list[Typed]:
    """Type the walk-through of the page from its first command to its last."""
    folder = tmp_path_factory.mktemp("reader")
    walk = PAGE.read_text().partition("\n## Where")[0]
    mine, fill = re.findall(r"```python\n(.*?)```", walk, re.DOTALL)
    # Beside this, other tests may be adding to the stack, which `status` says by its exit code.
    mine, fill = (program.replace("check=True", "check=False") for program in (mine, fill))
    (folder / "mine.py").write_text("import os\n" + mine.replace('where["postgres"]', 'os.environ["PG"]'))
    (folder / "fill.py").write_text(fill)
    commands = list(commands_of(walk))
    done = subprocess.run(
        ["bash", "-c", "\n".join(f'{{\n{command}\n}} 2>&1\necho "[exit $?]"' for command in commands)],
        cwd=folder,
        env=os.environ
        | {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "STREAMPROOF_STATE_DIR": str(stack.state_dir),
            "PG": f"postgresql://{USER}@{LOOPBACK}:{postgres.port}/{postgres.database().rpartition('/')[2]}",
            "PGPASSWORD": postgres.password,
        },
        capture_output=True,
        text=True,
        timeout=TYPED_S,
        check=False,
    )
    said = re.findall(r"(.*?)\[exit (\d+)\]\n", done.stdout, re.DOTALL)
    return [Typed(command, int(code), printed) for command, (printed, code) in zip(commands, said, strict=True)]


def commands_of(page: str) -> Iterator[str]:
    """Yield what stands behind the prompts of a page, with the files that are written on the way."""
    for block in re.findall(r"```console\n(.*?)```", page, re.DOTALL):
        for found in re.finditer(r"^\$ ((?:.*<<'EOF'\n(?:.*\n)*?EOF$)|.*)", block, re.MULTILINE):
            if not found[1].startswith(NOT_TYPED):
                yield found[1]


def only(typed: list[Typed], part: str, which: int = 0) -> Typed:
    return [each for each in typed if part in each.command][which]


def test_everything_that_prepares_works(typed: list[Typed]) -> None:
    failed = [each for each in typed if each.exit_code and "audit" not in each.command]
    assert failed == []


def test_a_consumer_of_thirty_lines_passes(typed: list[Typed]) -> None:
    mine = PAGE.read_text().partition("```python\n")[2].partition("```")[0]
    assert len([line for line in mine.splitlines() if line]) <= 30
    audit = only(typed, '--at "$PG#plays" --id id')
    assert audit.exit_code == 0, audit.printed
    assert audit.printed.startswith("PASSED  All 20,000 acknowledged events are in ")


def test_the_damage_is_named_as_the_page_shows_it(typed: list[Typed]) -> None:
    damaged = only(typed, '--at "$PG#plays" --id id', 1)
    assert damaged.exit_code == 65
    assert "1 lost, 1 duplicated, as of" in damaged.printed
    compared = only(typed, "--columns plays.yaml --compare")
    assert compared.exit_code == 65
    assert re.search(r"1 lost, 1 duplicated, \d+ altered \(happened_at in \d+\)", compared.printed)
    assert "rounded to seconds" in compared.printed
    # Identities are the same in every run of this name, so the page shows those that a reader sees.
    page = PAGE.read_text()
    for identity in re.findall(r"^(?:lost|duplicated) +1 +(\S+)", damaged.printed, re.MULTILINE):
        assert identity in page, identity


def test_a_share_of_the_events_and_a_count_are_judged(typed: list[Typed]) -> None:
    share = only(typed, "--expect ")
    assert share.exit_code in {0, 65}  # the event that was deleted is a search, or it is not
    assert "should arrive: event_type = 'search'" in share.printed
    assert only(typed, "--expectation ").exit_code in {0, 65}
    assert "plays_per_customer" in only(typed, "--expectation ").printed


def test_a_pipeline_at_work_is_waited_for_and_damage_to_another_run_is_not_its(typed: list[Typed]) -> None:
    waited = only(typed, "--wait 5m")
    assert waited.exit_code == 0, waited.printed
    assert "run mine/2" in waited.printed


def test_a_topic_of_others_is_judged_by_its_ledger(typed: list[Typed]) -> None:
    assert "1,000 records in 3 partitions" in only(typed, "streamproof ledger").printed
    audit = only(typed, "audit orders")
    assert audit.exit_code == 65
    assert "1 lost, 1 altered (cents in 1)" in audit.printed
