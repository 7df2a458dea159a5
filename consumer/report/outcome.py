"""How a run ended: how much of what it was asked for was sent, and whether readers have it.

A verdict is about what was sent. A run that was cut short can pass, and is not a success: this says so beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from consumer.proof.checks import CheckResult
from consumer.report.text import moment, number, percent
from schemas.manifest import Manifest


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a run, beside its verdict.

    :param asked: events that the run was asked for; ``None`` where something else ends it, or nobody says.
    :param done: events that Kafka acknowledged, and those that were left out on purpose (an injected fault).
    :param cut: a shard was stopped or killed before its end, or says nothing.
    :param published_at: when readers last got it, ISO 8601; ``None`` when they never did.
    :param withheld: why readers do not have it, or will not after the next publication; empty when nothing is wrong,
        and where nothing of the run is to be published.
    """

    asked: int | None
    done: int
    cut: bool
    published_at: str | None
    withheld: str

    @property
    def published(self) -> bool:
        """Whether readers have what was audited last."""
        return self.published_at is not None and not self.withheld

    @property
    def short(self) -> bool:
        """Whether less was done than was asked for."""
        return self.cut or (self.asked is not None and self.done < self.asked)

    def shortfall(self) -> str:
        """Return in one sentence what is missing of what was asked for; empty when nothing is."""
        if not self.short:
            return ""
        began = "Cut short: " if self.cut else "Not all that was asked for: "
        if self.asked is None:
            return f"{began}{number(self.done)} events were sent. The rest was not."
        return f"{began}{number(self.done)} of {number(self.asked)} events asked for, {self.share()}."

    def share(self) -> str:
        """Return the share of what was asked for, never rounded up to all of it."""
        if not self.asked:
            return ""
        share = 100 * self.done / self.asked
        return percent(min(share, 99.99) if self.done < self.asked else share, 2)

    def publication(self) -> str:
        """Return in one sentence whether readers have the run; empty where nothing of it is to be published."""
        if self.published_at is None:
            return f"Not published: {self.withheld}." if self.withheld else ""
        at = moment(self.published_at)
        return f"Published {at}, and not again: {self.withheld}." if self.withheld else f"Published {at}."

    def document(self) -> dict[str, Any]:
        """Return a JSON-ready mapping."""
        return asdict(self) | {"shortfall": self.shortfall(), "publication": self.publication()}


def outcome(
    manifests: Sequence[Manifest],
    audit: dict[str, Any] | None,
    checks: Sequence[CheckResult],
    published_at: str | None,
    *,
    checks_are_old: bool = False,
    audited_since: bool = False,
) -> Outcome:
    """Tell what became of a run from what is recorded of it.

    :param checks_are_old: the latest checks are older than the audit.
    :param audited_since: the latest audit is another than the one that permitted the publication.
    """
    shards = max((manifest.shards for manifest in manifests), default=0)
    cut = len(manifests) < shards or any(m.interrupted or m.status == "running" for m in manifests)
    return Outcome(
        asked=_asked(manifests),
        done=sum(manifest.acknowledged + manifest.dropped for manifest in manifests),
        cut=cut,
        published_at=published_at,
        withheld=_withheld(audit, checks, published_at, checks_are_old=checks_are_old, audited_since=audited_since),
    )


def _asked(manifests: Sequence[Manifest]) -> int | None:
    said = {manifest.asked for manifest in manifests}
    if len(said) == 1 and None not in said:
        return said.pop()
    return None


def _withheld(
    audit: dict[str, Any] | None,
    checks: Sequence[CheckResult],
    published_at: str | None,
    *,
    checks_are_old: bool,
    audited_since: bool,
) -> str:
    if audit is None:
        return "the run was not audited"
    failed = [check.check for check in checks if check.severity == "blocking" and check.passed is False]
    reasons = (
        (audit["verdict"] != "PASSED", f"the audit says {audit['verdict']}"),
        (not checks, "the run was not checked"),
        (checks_are_old, "the checks are older than the audit"),
        (bool(failed), f"blocking checks failed: {', '.join(failed)}"),
        (published_at is None, "`publish` has not run since the checks"),
        (audited_since, "it was audited again since"),
    )
    return next((reason for applies, reason in reasons if applies), "")
