"""What the report shows: one query per figure, over the run at hand. What the events say is drawn by ``content.py``."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from consumer.proof.checks import CheckResult, checked_after, latest_results
from consumer.proof.kept_audits import audit_as_of_now
from consumer.proof.kept_manifests import stored_manifests
from consumer.proof.packs import pack_of_run
from consumer.proof.run_scope import enter_run
from consumer.report.content import Content, Row, read_content
from consumer.report.examination import latest_realism
from consumer.report.incidents import Effect, Second, effects, incidents_of
from consumer.report.outcome import Outcome, outcome
from consumer.sinks.duckdb.warehouse import Warehouse
from schemas.incidents import Incident
from schemas.manifest import Manifest
from schemas.rates import RateReached, rate_reached

_PARTITIONS = """
    SELECT partition, count(*), count(DISTINCT key) FROM run_records GROUP BY 1 ORDER BY 1
"""
# A second of the load's clock, counted from its first batch with events of the run.
_LOADED = """
    WITH own AS (SELECT DISTINCT _batch AS batch FROM run_events),
    seconds AS (
        SELECT CAST(floor(epoch(loaded_at)) AS BIGINT) AS second, sum(events) AS events
        FROM load_batches WHERE batch IN (SELECT batch FROM own) GROUP BY 1
    )
    SELECT second - min(second) OVER (), events FROM seconds ORDER BY 1
"""
_BATCHES = """
    WITH own AS (SELECT DISTINCT _batch AS batch FROM run_events)
    SELECT batch, sum(events), strftime(any_value(loaded_at), '%H:%M:%S')
    FROM load_batches WHERE batch IN (SELECT batch FROM own) GROUP BY batch ORDER BY batch LIMIT 12
"""
_LEDGER = """
    WITH own AS (SELECT DISTINCT _batch AS batch FROM run_events),
    batches AS (
        SELECT batch, any_value(fetch_s) AS fetch_s, any_value(decode_s) AS decode_s, any_value(insert_s) AS insert_s,
               sum(events) AS events, sum(quarantined) AS quarantined, sum(tombstones) AS tombstones,
               sum(absent) AS absent, sum(value_bytes) AS value_bytes, min(loaded_at) AS loaded_at
        FROM load_batches WHERE batch IN (SELECT batch FROM own) GROUP BY batch
    )
    SELECT count(*), sum(events), sum(quarantined), sum(tombstones), sum(absent), sum(value_bytes),
           sum(fetch_s), sum(decode_s), sum(insert_s),
           CAST(min(loaded_at) AS VARCHAR), CAST(max(loaded_at) AS VARCHAR)
    FROM batches
"""
_OFFSETS = """
    SELECT partition, min(start_offset), max(end_offset), sum(events), sum(quarantined), sum(tombstones), sum(absent)
    FROM load_batches GROUP BY partition ORDER BY partition
"""
_QUARANTINE = """
    SELECT phase, error_class, count(*),
           count(*) FILTER (coalesce(starts_with(event_id, getvariable('id_start')), FALSE)),
           min(_partition || '/' || _offset)
    FROM quarantine_identities GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2
"""
_PUBLISHED = """
    SELECT CAST(arg_max(published_at, number) AS VARCHAR), arg_max(rows, number),
           arg_max_null(audit_id, number)
    FROM publications WHERE run_id = ?
"""
_KNOWN = "SELECT count(*) FROM run_records"


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that a report shows about a run. Rows are as their queries above select them."""

    run_id: str
    topic: str
    audit: dict[str, Any] | None
    manifests: list[Manifest]
    checks: list[CheckResult]
    content: list[Content] = field(default_factory=list)
    undrawn: list[str] = field(default_factory=list)
    partitions: list[Row] = field(default_factory=list)
    loaded: list[Row] = field(default_factory=list)
    batches: list[Row] = field(default_factory=list)
    ledger: Row | None = None
    offsets: list[Row] = field(default_factory=list)
    quarantine: list[Row] = field(default_factory=list)
    published: Row | None = None
    realism: dict[str, Any] | None = None
    incidents: list[Incident] = field(default_factory=list)
    checks_are_old: bool = False

    @property
    def rates(self) -> list[tuple[int, int, int]]:
        """Return (second, intended, achieved) summed over the shards, in order; a long window is spread evenly."""
        sums: dict[int, list[int]] = {}
        for manifest in self.manifests:
            for window in manifest.rate_windows:
                for place in range(window.seconds):
                    both = sums.setdefault(window.second + place, [0, 0])
                    both[0] += _part(window.intended, window.seconds, place)
                    both[1] += _part(window.achieved, window.seconds, place)
        return [(second, *sums[second]) for second in sorted(sums)]  # type: ignore[misc]

    @property
    def delays(self) -> dict[int, float]:
        """Return the longest publish delay of each second over the shards, ms, where anybody tells it."""
        longest: dict[int, float] = {}
        for manifest in self.manifests:
            for window in manifest.rate_windows:
                for second in range(window.second, window.end) if window.delay_ms is not None else ():
                    longest[second] = max(longest.get(second, 0.0), window.delay_ms or 0.0)
        return longest

    @property
    def effects(self) -> list[Effect]:
        """Return what was done to the local stack meanwhile, and what that did to the run."""
        delays = self.delays
        run = [Second(second, aim, got, delays.get(second)) for second, aim, got in self.rates]
        return effects(self.incidents, run)

    @property
    def outcome(self) -> Outcome:
        """Return how much of what was asked for was done, and whether readers have it."""
        published_at, _, permit = self.published or (None, None, None)
        audited = None if self.audit is None else self.audit["audit_id"]
        return outcome(
            self.manifests,
            self.audit,
            self.checks,
            published_at,
            checks_are_old=self.checks_are_old,
            audited_since=permit is not None and permit != audited,
        )

    @property
    def rate(self) -> RateReached | None:
        """The rate asked for and the rate reached; ``None`` where no manifest tells it."""
        return rate_reached(self.manifests)

    @property
    def span(self) -> tuple[datetime, datetime] | None:
        """Return when the run began and ended, if its shards say so."""
        starts = [datetime.fromisoformat(manifest.started_at) for manifest in self.manifests]
        ends = [datetime.fromisoformat(manifest.ended_at) for manifest in self.manifests if manifest.ended_at]
        return (min(starts), max(ends)) if starts and ends else None


def _part(whole: int, parts: int, place: int) -> int:
    return whole * (place + 1) // parts - whole * place // parts


def gather(warehouse: Warehouse, topic: str, run_id: str) -> Facts:
    """Read everything for one run. Nothing is written."""
    enter_run(warehouse, run_id)
    audit = audit_as_of_now(warehouse, run_id)
    content, undrawn = read_content(warehouse, pack_of_run(warehouse, run_id))
    ledger = warehouse.rows(_LEDGER)
    published = warehouse.rows(_PUBLISHED, [run_id])
    return Facts(
        run_id=run_id,
        topic=topic,
        audit=audit,
        checks_are_old=audit is not None and checked_after(warehouse, run_id, audit["audit_id"]) is False,
        manifests=stored_manifests(warehouse, run_id),
        checks=latest_results(warehouse, run_id),
        content=content,
        undrawn=undrawn,
        partitions=warehouse.rows(_PARTITIONS),
        loaded=warehouse.rows(_LOADED),
        batches=warehouse.rows(_BATCHES),
        ledger=ledger[0] if ledger and ledger[0][0] else None,
        offsets=warehouse.rows(_OFFSETS),
        quarantine=warehouse.rows(_QUARANTINE),
        realism=latest_realism(warehouse, run_id),
        incidents=incidents_of(audit),
        published=published[0] if published and published[0][0] else None,
    )


def has_records(warehouse: Warehouse, run_id: str) -> bool:
    """Tell whether anything of the run is stored, whoever sent it."""
    enter_run(warehouse, run_id)
    return warehouse.rows(_KNOWN) != [(0,)]


def as_json(value: object) -> str:
    """Return JSON text, with what JSON does not know as text."""
    return json.dumps(value, default=str, indent=2, ensure_ascii=False)
