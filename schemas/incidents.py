"""The incidents of a run: what was done on purpose to the local stack while it went, as its control topic keeps it.

One record for each run, under the key ``<run id>/incidents`` of ``<topic>.manifests``, JSON. It is written when an
incident begins, when it ends, and when what was away answers again; the newest counts. No manifest knows of it, and no
verdict looks at it.

**Who draws them** gets them from :func:`schemas.control_topic.read_incidents`, or, where the control topic is read
anyway, from ``ControlTopic.incidents[run_id]``. A consumer that follows the topic gives each record to
:func:`incidents_in`, which returns ``None`` for any other record. Each :class:`Incident` has moments twice:
``began_at``, ``ended_at``, ``back_at`` are ISO 8601 in UTC, for a clock; ``began_s``, ``ended_s``, ``back_s`` are
seconds of the run, as the ``second`` of its rate windows counts them. A moment that did not come yet is ``None``, and
one that began and has no end goes on. ``incident.text`` is its name.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

Kind = Literal["stop", "kill", "freeze"]
REGISTRY = "registry"
KEY_SUFFIX = "/incidents"
_UNITS = (("h", 3600.0), ("m", 60.0))


class _Document(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Incident(_Document):
    """One incident: what was asked for, and what happened.

    ``at_s`` and ``for_s`` are as they were asked for, seconds of the run. ``fault`` says why it did not happen, or did
    not end as it should; it is empty where nothing is wrong.
    """

    at_s: float = Field(ge=0)
    kind: Kind
    target: str = Field(description='"broker 2", or "registry"')
    for_s: float = Field(gt=0)
    asked_at: str | None = Field(default=None, description="when its turn came: from then on it is not done again")
    began_at: str | None = None
    began_s: float | None = None
    ended_at: str | None = None
    ended_s: float | None = None
    back_at: str | None = Field(default=None, description="when it answered again")
    back_s: float | None = None
    fault: str = ""

    @property
    def action(self) -> str:
        """What is done to what: ``stop broker 2``."""
        return f"{self.kind} {self.target}"

    @property
    def text(self) -> str:
        """Return it as it is asked for: ``30s: stop broker 2 for 20s``."""
        return f"{duration(self.at_s)}: {self.action} for {duration(self.for_s)}"

    @property
    def asked(self) -> tuple[float, str, float]:
        """What tells it from the other incidents of its run."""
        return (self.at_s, self.action, self.for_s)


class RunIncidents(_Document):
    """All incidents of one run, by their planned beginnings."""

    format: Literal[1] = 1
    holds: Literal["incidents"] = "incidents"
    run_id: str
    topic: str
    incidents: list[Incident]

    def key(self) -> str:
        """Return the record key on the control topic."""
        return f"{self.run_id}{KEY_SUFFIX}"


def is_incidents_key(key: str) -> bool:
    """Tell whether a key of the control topic is that of the incidents of a run; no manifest has such a key."""
    return key.endswith(KEY_SUFFIX) and len(key) > len(KEY_SUFFIX)


def incidents_in(key: bytes | str | None, value: bytes | str | None) -> RunIncidents | None:
    """Return the incidents that a record of a control topic holds, ``None`` for any other record."""
    text = key.decode(errors="replace") if isinstance(key, bytes) else key or ""
    if value is None or not is_incidents_key(text):
        return None
    try:
        found = RunIncidents.model_validate_json(value)
    except ValidationError:
        return None
    return found if found.key() == text else None


def duration(seconds: float) -> str:
    """Return a duration as it is written: 20s, 5m, 1h, 1.5s."""
    for unit, size in _UNITS:
        if seconds and (seconds / size).is_integer():
            return f"{int(seconds / size)}{unit}"
    return f"{seconds:.12g}s"
