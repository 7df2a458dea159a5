"""What a rehearsal may be told, with titles and bounds.

Said once, here: the form in the Airflow UI is made from these fields, and the files of ``profiles/`` hold them.
"""

from __future__ import annotations

import math
import shlex
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    model_validator,
)

from cluster.errors import Misconfigured
from cluster.text.names import DEFAULT_NAME
from plugins.form.form_texts import (
    TOPIC_PATTERN,
    TOPIC_WORDS,
    conn_id,
    faults_text,
    incidents_text,
    percent,
    shape_text,
    topic_name,
)

MAX_SECONDS = 21_600
# How the fields are called that are a fault each.
FAULT_FIELDS = "fault_"
# The field for options that are declared where only code says it.
ANY_OPTION = "options"
# Headings under which the form folds away what is not asked for each time.
LOAD, SCENARIO, VERSIONS, FAULTS = "Load", "Scenario options", "Schema versions", "Injected faults"
INCIDENTS, WAREHOUSE = "Incidents", "Warehouse"
# What the schema of a field says of an option that has each event sent at its own time.
OWN_TIMES = "own_times"
HEADINGS = (None, LOAD, SCENARIO, VERSIONS, FAULTS, INCIDENTS, WAREHOUSE)


def folded(section: str, **field: Any) -> Any:
    """Return a field that the form folds away under a heading; those without one are shown at once."""
    return Field(json_schema_extra={"section": section}, **field)


def _fault_field(title: str, description: str) -> Any:
    told = f"{description} Below 1 a share of the events, from 1 on a number of them; 0 for none."
    return folded(FAULTS, default=0, ge=0, title=title, description=told)


class Rehearsal(BaseModel):
    """What a run may be told, beside its scenario; :func:`rehearsal_for` adds the options that the scenario declares.

    The descriptions have no code in them: Airflow's form draws it over the line above.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    rate: float | None = Field(
        default=5000,
        ge=1,
        le=1_000_000,
        title="Rate",
        description="Events per second, all shards together, from 1 to 1,000,000; empty is the scenario's own pace. "
        "Not looked at when the run goes as fast as possible, or at the events' own times.",
    )
    full_speed: bool = Field(
        default=False,
        title="As fast as possible",
        description="Full speed instead of a rate, until the duration or the number of events ends the run.",
    )
    seconds: int = Field(
        default=30,
        ge=1,
        le=MAX_SECONDS,
        title="Duration",
        description=f"Seconds, from 1 to {MAX_SECONDS:,}; a run ends here or at its number of events.",
    )
    shards: int = Field(
        default=2,
        ge=1,
        le=16,
        title="Shards",
        description="Generators side by side, from 1 to 16. The local stack runs 4 tasks at a time.",
    )
    seed: int = Field(default=7, ge=0, le=2**31 - 1, title="Seed", description="The same seed gives the same events.")
    topic: Annotated[str, AfterValidator(topic_name)] = Field(
        default=DEFAULT_NAME,
        title="Topic",
        description=f"Created when it is missing. {TOPIC_WORDS}.",
        json_schema_extra={"pattern": TOPIC_PATTERN},
    )

    events: int | None = folded(
        LOAD,
        default=None,
        ge=1,
        le=1_000_000_000,
        title="Events",
        description="In all; empty for as many as fit the duration.",
    )
    shape: Annotated[str | None, BeforeValidator(shape_text)] = folded(
        LOAD,
        default=None,
        title="Load shape",
        description="Instead of the rate, such as ramp(1000,20000,60s) + constant(20000,5m). "
        "One that ends sets the duration too.",
    )
    catch_up: Literal["report", "skip"] = folded(
        LOAD,
        default="report",
        title="Catch-up",
        description="What a stall held up: **report** sends it late, **skip** gives it up and counts it.",
    )

    require_rate: Annotated[float | None, BeforeValidator(percent)] = folded(
        LOAD,
        default=None,
        gt=0,
        le=100,
        title="Required share of the rate",
        description="Percent; a shard that reaches less of its rate fails. Empty for a warning alone.",
    )

    schema_version: int | None = folded(
        VERSIONS,
        default=None,
        ge=1,
        title="Schema version",
        description="Version of the contract to write with; empty for its active one.",
    )
    next_version_share: float = folded(
        VERSIONS,
        default=0,
        ge=0,
        le=1,
        title="Next version, share",
        description="Share of the events that are written with the next version of the schema.",
    )
    next_version_ramp: bool = folded(
        VERSIONS,
        default=False,
        title="Ramp to the next version",
        description="From no event to all of them over the run; it needs a rate and a duration, or a number of events.",
    )

    fault_duplicate: float = _fault_field("Duplicates", "Sent twice, byte for byte.")
    fault_late: float = _fault_field("Late events", "Dated behind the event before, by ten minutes on average.")
    fault_out_of_order: float = _fault_field("Out of order", "Sent behind the next event of the same customer.")
    fault_dropped: float = _fault_field("Dropped", "Never sent: a loss.")
    fault_altered: float = _fault_field("Altered values", "A negative duration, a future date, an unknown type.")
    fault_undecodable: float = _fault_field(
        "Undecodable", "Truncated, empty, not UTF-8, of an unknown schema and so on."
    )
    fault_tombstone: float = _fault_field("Tombstones", "Sent without a value.")
    fault_hot_key: float = _fault_field("Hot key", "Given the same key.")
    fault_clock_skew: float = _fault_field("Clock skew", "Shards whose clock is five minutes ahead.")
    faults: Annotated[str | None, BeforeValidator(faults_text)] = folded(
        FAULTS,
        default=None,
        title="More faults",
        description="As the flag --fault takes them: undecodable.truncated=5 late=1%,mean=1h",
    )

    incidents: Annotated[str | None, BeforeValidator(incidents_text)] = folded(
        INCIDENTS,
        default=None,
        title="Incidents",
        description="What is done to the local stack meanwhile, several with ; between them, such as "
        "10s: stop broker 2 for 5s; 20s: freeze registry for 5s. Empty for nothing.",
    )

    warehouse_conn_id: Annotated[str | None, BeforeValidator(conn_id)] = folded(
        WAREHOUSE,
        default=None,
        title="PostgreSQL connection",
        description="Id of an Airflow connection to a PostgreSQL database that is to hold the warehouse. "
        "Empty for a DuckDB file, one for each topic.",
    )

    def injected(self) -> tuple[str, ...]:
        """Return the faults of all fields, as ``--fault`` takes them."""
        single = {name: value for name, value in self if name.startswith(FAULT_FIELDS) and value}
        texts = [f"{name.removeprefix(FAULT_FIELDS)}={value:.12g}" for name, value in single.items()]
        return (*texts, *(self.faults or "").split())

    def lasts_s(self) -> float | None:
        """Return the duration of the shape, seconds, infinite without an end; ``None`` without a shape."""
        if self.shape is None:
            return None
        from producer.shapes import duration_s, parse

        return duration_s(parse(self.shape))

    def own_times(self) -> str | None:
        """Return the option that has each event sent at its own time, and so takes the place of the rate."""
        said = {name: field.json_schema_extra for name, field in type(self).model_fields.items()}
        named = (name for name, extra in said.items() if isinstance(extra, dict) and extra.get(OWN_TIMES))
        return next((name for name in named if getattr(self, name)), None)

    def request(self) -> dict[str, Any]:
        """Return what ``ProduceRequest`` takes beside scenario, topic, run and shard.

        Options are as they are given, and judged there. A shape takes the place of rate and duration; ``rate`` is
        ``None`` for the scenario's own pace.
        """
        fields = self.model_dump(exclude={"topic", "full_speed", "warehouse_conn_id"})
        declared = fields.keys() - Rehearsal.model_fields.keys()
        settings = {
            name: value for name, value in fields.items() if not name.startswith(FAULT_FIELDS) and name not in declared
        }
        settings["options"] = self._options({name: fields[name] for name in fields if name in declared})
        settings["faults"] = list(self.injected())
        settings["incidents"] = [self.incidents] if self.incidents else []
        settings["require_rate"] = None if self.require_rate is None else self.require_rate / 100
        return settings | self._load()

    def _load(self) -> dict[str, float | None]:
        """Return rate and duration, as the shape and full speed leave them."""
        from producer.plan.rules import load_told

        unpaced = self.full_speed or self.own_times() is not None
        rate, seconds = load_told(rate=0.0 if unpaced else self.rate, seconds=self.seconds, lasts_s=self.lasts_s())
        return {"rate": rate, "seconds": seconds}

    @staticmethod
    def _options(given: dict[str, Any]) -> dict[str, Any]:
        from producer.scenarios.options import pairs

        said = given.pop(ANY_OPTION, None)
        return given | pairs(shlex.split(said or ""))

    @model_validator(mode="before")
    @classmethod
    def _full_speed_of_old(cls, content: Any) -> Any:
        """Understand ``rate: 0``, which meant full speed before that had a name of its own."""
        if not isinstance(content, dict) or isinstance(content.get("rate"), bool) or content.get("rate") != 0:
            return content
        if content.get("full_speed") is False:
            raise ValueError("rate 0 means as fast as possible, and full_speed is false: give a rate from 1")
        return {name: value for name, value in content.items() if name != "rate"} | {"full_speed": True}

    @model_validator(mode="after")
    def _keepable(self) -> Self:
        lasts_s = self.lasts_s()
        if lasts_s is not None and math.isfinite(lasts_s) and lasts_s > MAX_SECONDS:
            raise ValueError(f"the shape lasts {lasts_s:g} s, a run may last {MAX_SECONDS} s")
        if self.injected():
            from producer.faults.spec import parse_faults

            try:
                parse_faults(self.injected())
            except Misconfigured as fault:
                raise ValueError(fault.message) from None
        from producer.plan.incidents import beyond_the_end, parse_incidents
        from producer.plan.rules import contradictions

        ends_s = lasts_s if lasts_s is not None and math.isfinite(lasts_s) else float(self.seconds)
        broken = beyond_the_end(parse_incidents([self.incidents or ""]), ends_s) + contradictions(
            **self._load(),
            lasts_s=lasts_s,
            events=self.events,
            catch_up=self.catch_up,
            require_rate=self.require_rate,
            next_version_share=self.next_version_share,
            next_version_ramp=self.next_version_ramp,
            own_times=self.own_times(),
        )
        if broken:
            raise ValueError("; ".join(broken))
        return self
