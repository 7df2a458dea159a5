"""What runs beside what: groups of tests that one worker runs one after the other, and which group begins when.

A group is a module, because its tests share fixtures, or what ``TOGETHER`` says: tests that must not run side by side.
Long groups begin first, so that no worker is left alone with one at the end.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

# Modules, or single tests of them: each test is in the first group that names it.
TOGETHER: dict[str, tuple[str, ...]] = {
    # One Airflow, and one rehearsal that many of them look at.
    "airflow": ("tests/e2e/test_airflow", "tests/e2e/test_local_airflow"),
    # They hold seconds to a rate, or a stop to a second.
    "timing": (
        "tests/faults/producer/test_kill_shape.py",
        "tests/integration/producer/test_shapes.py",
        "tests/integration/producer/test_rate.py",
        "tests/integration/producer/test_produce.py::test_seconds_end_a_run",
        "tests/integration/producer/test_produce.py::test_a_signal_ends",
        "tests/integration/consumer/load/test_kill.py::test_a_stopped_command",
    ),
}
# Groups that take longest, in the order in which they begin.
LONGEST_FIRST = (
    "tests/faults/producer/test_memory.py",  # in the deep tests alone
    "airflow",
    "tests/faults/security/test_security.py",
    "timing",
    "tests/faults/producer/test_fence.py",
    "tests/faults/producer/test_broker.py",
    "tests/faults/incidents/test_incidents.py",
    "tests/e2e/test_whole_dag.py",
    "tests/integration/consumer/load/test_memory.py",
    "tests/integration/consumer/load/test_kill.py",
    "tests/integration/consumer/load/test_kill_points.py",
    "tests/integration/producer/test_produce.py",
    "tests/integration/consumer/proof/test_truth_path.py",
    "tests/unit/stack/test_lifecycle.py",
)


def group_of(nodeid: str) -> str:
    """Return the group of a test: one that names it, or its module."""
    for group, names in TOGETHER.items():
        if nodeid.startswith(names):
            return group
    return nodeid.partition("::")[0]


def arranged(items: Iterable[pytest.Item]) -> list[pytest.Item]:
    """Return the tests group by group, the longest groups first; the order within a group stays."""
    places: dict[str, int] = {group: place for place, group in enumerate(LONGEST_FIRST)}
    return sorted(items, key=lambda item: places.setdefault(group_of(item.nodeid), len(places)))


class GroupScheduling(LoadScopeScheduling):
    """Gives a worker whole groups, in the order of the collected tests.

    xdist's own ``--dist=loadgroup`` writes a group into the name of a test, which pytest 9.2 does not let it do.
    """

    def __init__(self, config: pytest.Config, log: Any) -> None:
        config.option.loadscopereorder = False
        super().__init__(config, log)

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)
