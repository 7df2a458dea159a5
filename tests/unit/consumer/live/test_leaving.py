"""What a poller looks at when those who looked are gone."""

from __future__ import annotations

from pathlib import Path

from cluster.connection import Connection
from consumer.live.poller import LivePoller


def test_the_topics_of_who_left_are_looked_at_a_while_longer_so_that_a_page_finds_its_plots_again(
    tmp_path: Path,
) -> None:
    nowhere = Connection.of({"bootstrap_servers": "127.0.0.1:1"}, {"url": "http://127.0.0.1:1"})
    now_s = [100.0]
    poller = LivePoller(nowhere, tmp_path, grace_s=10.0, clock=lambda: now_s[0])
    with poller.subscribe({"one"}):
        with poller.subscribe({"two"}):
            assert poller.named() == (frozenset({"one", "two"}), False)
        with poller.subscribe():
            pass
        now_s[0] += 9
        assert poller.named() == (frozenset({"one", "two"}), True)
        now_s[0] += 2
        assert poller.named() == (frozenset({"one"}), False)
    now_s[0] += 9
    assert poller.named() == (frozenset({"one"}), False)
    assert not poller.abandoned()
    now_s[0] += 2
    assert poller.abandoned()
