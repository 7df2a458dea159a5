"""Who holds a shard: whoever takes it reads the newest lease, and whoever reads manifests reads none."""

from __future__ import annotations

from typing import Any

from schemas.control_topic import ControlTopic
from schemas.leases import HEADER, Lease, lease_in

LEASE = Lease(
    run_id="r/1", shard=2, token="t1", machine="host boot net", name="n", pid=7, lease_s=10, settle_s=30, at="now"
)
HELD, YIELDED = LEASE.places()


class Record:
    """A record of the control topic without a value."""

    def __init__(self, key: str, said: bytes | None, value: bytes | None = None) -> None:
        self._key, self._said, self._value = key, said, value

    def key(self) -> bytes:
        return self._key.encode()

    def value(self) -> bytes | None:
        return self._value

    def headers(self) -> list[tuple[str, bytes]] | None:
        return None if self._said is None else [("other", b""), (HEADER, self._said)]

    def topic(self) -> str:
        return "t.manifests"

    def partition(self) -> int:
        return 0

    def offset(self) -> int:
        return 7


def record(lease: Lease, key: str = HELD) -> Any:
    return Record(key, lease.header()[1])


def test_the_newest_lease_of_a_shard_counts_and_who_gave_way_is_known_by_its_token() -> None:
    control = ControlTopic()
    later = LEASE.model_copy(update={"token": "t2"})
    for each in (record(LEASE), record(later), record(LEASE.model_copy(update={"released": True}), YIELDED)):
        assert control.take_lease(each)
    assert control.leases == {("r/1", 2): later}
    assert control.yielded == {"t1"}


def test_what_is_no_lease_of_its_key_is_none() -> None:
    said = LEASE.header()[1]
    assert lease_in(record(LEASE)) == LEASE
    for each in (
        Record("r/1/3/progress", said),
        Record("r/1/2", said),
        Record(HELD, b"{}"),
        Record(HELD, b"\xff"),
        Record(HELD, None),
        Record(HELD, said, value=b"{}"),
    ):
        assert lease_in(each) is None  # type: ignore[arg-type]


def test_whoever_reads_manifests_takes_no_notice_of_a_lease() -> None:
    control = ControlTopic()
    for key in (HELD, YIELDED):
        control.take(record(LEASE, key))
    assert (control.manifests, control.deleted, control.unread, control.pages) == ({}, set(), {}, {})
