"""What a shard's events depend on, agreed before the first one: topic, schema, scenario, and an earlier attempt."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import quote

import structlog

from cluster.admin import CALL_TIMEOUT_S
from cluster.connection import Connection
from cluster.errors import Misconfigured
from cluster.silence import telling_if_silent
from cluster.topics import Admin, TopicInfo, admin_client, describe
from producer.faults import Injector
from producer.plan.destination import (
    Takes,
    describe_control,
    refuse_other_contract,
    refuse_other_topic,
    what_it_takes,
)
from producer.plan.injection import agreed_targets, make_injector, refuse_hidden_clock
from producer.plan.mixing import Mixing
from producer.plan.plan import Plan
from producer.plan.unchanged import refuse_other_run, refuse_other_settings
from producer.resume.earlier import RunSaid, read_run
from producer.scenarios import Asked, Scenario, contract_of, find_scenario
from producer.scenarios.options import filled
from schemas.fingerprint import fingerprint, number_of
from schemas.formats import AVRO_NAME, FRAMED
from schemas.leases import Lease
from schemas.manifest import Manifest, SchemaUsed
from schemas.packs import find_pack, queries_of
from schemas.registry.contract import Contract, ContractVersion, subject_for
from schemas.registry.gate import Registry
from schemas.registry.history import refuse_conflicts
from schemas.undecodable import UnsupportedSchema

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Agreement:
    """All that is fixed for one attempt. ``earlier`` is what the control topic holds of the attempt before.

    ``unaccounted``: ends of the partitions of a topic that holds records, although no run of it is known, or although
    the manifest of the shard was taken back (``taken_back``).
    ``takes``: how the topic takes records.
    ``lease``: of the process that had the shard before and did not say that it has stopped; ``control_ends``: where the
    control topic ended when it was read.
    """

    scenario: Scenario
    schema: ContractVersion
    announced: Manifest
    earlier: Manifest | None
    injector: Injector | None = None
    newer: ContractVersion | None = None
    newer_used: SchemaUsed | None = None
    mixing: Mixing | None = None
    unaccounted: Mapping[int, int] = field(default_factory=dict)
    taken_back: bool = False
    takes: Takes = field(default_factory=Takes)
    lease: Lease | None = None
    control_ends: Mapping[int, int] = field(default_factory=dict)

    @property
    def schemas(self) -> tuple[SchemaUsed, SchemaUsed] | None:
        """Both schemas of a run that mixes versions."""
        return None if self.newer_used is None else (self.announced.schema_used, self.newer_used)

    @property
    def done(self) -> bool:
        """Whether an earlier attempt reached the end and every event was acknowledged."""
        earlier = self.earlier
        return (
            earlier is not None
            and earlier.status == "finished"
            and not earlier.interrupted
            and not earlier.failed
            and not earlier.unknown
            and not earlier.injected_unsure
            and earlier.truth_complete
        )


def agree(
    connection: Connection,
    plan: Plan,
    *,
    stop: threading.Event | None = None,
    fenced: Callable[[], None] = lambda: None,
) -> Agreement:
    """Check that everything is there, and fix what the data depends on.

    :param stop: ends what a scenario does before its first event.
    :param fenced: called before the control topic is read: returns when nobody else can write to it what is of this
        shard.
    :raises Interrupted: stopped meanwhile.
    :raises BrokerUnreachable: no broker answers (within 15 s).
    :raises TopicMissing: the topic or its control topic does not exist.
    :raises TopicRecreated: the run was begun on a former topic of the same name.
    :raises SchemaIncompatible: a field would get a column of its own, and nobody allowed it.
    :raises Misconfigured: the schema is not registered, or the run id was used with other settings, by this shard or
        by another one.
    """
    admin = admin_client(connection.kafka)
    with telling_if_silent("Kafka", f"describing topic {plan.topic}", until_s=CALL_TIMEOUT_S):
        info = describe(admin, plan.topic)
        describe_control(admin, plan.topic)
        takes = what_it_takes(admin, plan.topic)
    scenario = find_scenario(plan.scenario, registry=connection.known_registry)
    scenario.prepare(asked_of(plan, scenario, stop=stop))
    written = _written(connection, plan, scenario)
    fenced()
    said = read_run(connection.kafka, plan.topic, plan.run_id, plan.shard)
    refuse_other_topic(plan.run_id, info, said.bounds, said.own, said.others)
    attempt = _Attempt(connection, plan, scenario, info, takes, written, said, stop)
    return attempt.first(admin) if said.own is None else attempt.after(said.own)


@dataclass(frozen=True, slots=True)
class _Written:
    """What the values follow: a version of the contract, and in a run that mixes two the one after it."""

    schema: ContractVersion
    used: SchemaUsed
    newer: ContractVersion | None = None
    newer_used: SchemaUsed | None = None
    mixing: Mixing | None = None

    @property
    def by_id(self) -> dict[int, ContractVersion]:
        if self.newer is None or self.newer_used is None:
            return {self.used.id: self.schema}
        return {self.used.id: self.schema, self.newer_used.id: self.newer}


@dataclass(frozen=True, slots=True)
class _Attempt:
    """An attempt at a shard, with all that was looked up for it."""

    connection: Connection
    plan: Plan
    scenario: Scenario
    info: TopicInfo
    takes: Takes
    written: _Written
    said: RunSaid
    stop: threading.Event | None

    def after(self, earlier: Manifest) -> Agreement:
        """Agree on what the attempt before was agreed on."""
        plan, scenario = self.plan, self.scenario
        refuse_other_settings(plan, scenario, self.written.used, earlier)
        announced = earlier.model_copy(
            update={
                "settings": dict(scenario.resumed(earlier.settings, asked_of(plan, scenario, stop=self.stop))),
                "topic_id": earlier.topic_id or self.info.topic_id,
                "schema_used": self.written.used,
                "status": "running",
                "resumed": earlier.resumed + 1,
                "brokers": self.connection.kafka.shown,
                "registry": _shown(self.connection),
                "ended_at": None,
                "interrupted": False,
                "faults": [],
                "injected": {},
                "injected_unsure": 0,
            }
        )
        refuse_other_run(announced, self.said.others)
        injector = make_injector(plan, scenario, targets=earlier.fault_targets, schemas=self.written.by_id)
        return self._agreed(announced, injector, earlier=earlier)

    def first(self, admin: Admin) -> Agreement:
        """Agree on what nothing was agreed on before, beside what other shards of the run have."""
        plan, scenario, said, written = self.plan, self.scenario, self.said, self.written
        _refuse_conflicts(self.connection, plan, scenario, list(written.by_id.values()))
        now = dt.datetime.now(dt.UTC)
        targets = None
        if plan.faults:
            refuse_hidden_clock(admin, plan)
            targets = agreed_targets(plan, scenario, _settings(plan.for_shard(0), scenario, now, self.stop))
        injector = make_injector(plan, scenario, targets=targets, schemas=written.by_id)
        asked = plan.settings() | ({} if written.newer_used is None else {"next schema id": written.newer_used.id})
        announced = Manifest(
            status="running",
            run_id=plan.run_id,
            shard=plan.shard,
            shards=plan.shards,
            topic=plan.topic,
            topic_id=self.info.topic_id,
            scenario=scenario.name,
            scenario_version=scenario.version,
            seed=plan.seed,
            settings=asked | _settings(plan, scenario, now, self.stop),
            common=sorted({*asked, *scenario.libraries(), *scenario.common} - plan.own_settings),
            schema_used=written.used,
            value_format=scenario.format,
            contract=None if scenario.format in FRAMED else written.schema.text,
            pack=queries_of(find_pack(scenario.name, beside=_folder_of(plan.scenario))),
            started_at=now.isoformat(timespec="milliseconds"),
            start_offsets={partition: high for partition, (_, high) in said.bounds.items()},
            brokers=self.connection.kafka.shown,
            registry=_shown(self.connection),
            asked=plan.asked,
            fault_targets=targets,
        )
        refuse_other_run(announced, said.others)
        refuse_other_contract(self.connection.kafka, announced)
        look = (said.empty or said.taken_back) and not plan.new_run_id
        unaccounted = {partition: high for partition, (low, high) in said.bounds.items() if look and low < high}
        return self._agreed(announced, injector, unaccounted=unaccounted, taken_back=said.taken_back)

    def _agreed(
        self,
        announced: Manifest,
        injector: Injector | None,
        *,
        earlier: Manifest | None = None,
        unaccounted: Mapping[int, int] = {},
        taken_back: bool = False,
    ) -> Agreement:
        return Agreement(
            self.scenario,
            self.written.schema,
            announced,
            earlier,
            injector,
            newer=self.written.newer,
            newer_used=self.written.newer_used,
            mixing=self.written.mixing,
            unaccounted=unaccounted,
            taken_back=taken_back,
            takes=self.takes,
            lease=self.said.lease,
            control_ends=self.said.control_ends,
        )


def _written(connection: Connection, plan: Plan, scenario: Scenario) -> _Written:
    """Return what the values follow, as it is registered."""
    schema, used = _schema(connection, plan, scenario)
    number = next_version(plan, contract_of(scenario))
    if number is None:
        return _Written(schema, used)
    if scenario.format not in FRAMED:
        raise Misconfigured(
            f"a run of {scenario.format} cannot mix versions of its schema: its values do not say which they follow",
            hint="Leave the next version out, or let the scenario have a format whose values name their schemas",
        )
    newer, newer_used = _schema(connection, replace(plan, schema_version=number), scenario)
    return _Written(schema, used, newer, newer_used, plan.mixing)


def next_version(plan: Plan, contract: Contract) -> int | None:
    """Return the version that a mixed run writes beside its own, ``None`` for a run of one version.

    :raises Misconfigured: the contract has no such version.
    """
    return None if plan.next_version is None else contract.after(plan.schema_version)


def _folder_of(reference: str) -> Path | None:
    """Return the folder of a scenario that is a file."""
    path = Path(reference)
    return path.parent if path.suffix else None


def _settings(
    plan: Plan, scenario: Scenario, now: dt.datetime, stop: threading.Event | None = None
) -> dict[str, int | float | str | None]:
    """Return what the scenario makes of the plan for one shard that begins now."""
    asked = asked_of(plan, scenario, stop=stop)
    return scenario.settings(_planned(plan, scenario), int(now.timestamp() * 1000), asked)


def _shown(connection: Connection) -> str | None:
    known = connection.known_registry
    return None if known is None else known.shown


def asked_of(plan: Plan, scenario: Scenario, *, stop: threading.Event | None = None) -> Asked:
    """Return what one shard asks the scenario for."""
    options = filled(scenario.options, plan.shard_options)
    return Asked(plan.shards, plan.shard, plan.mean_rate, options, stop)


# What one shard can reach on any machine, to plan for a run that only time bounds.
_FASTEST_PER_S = 400_000


def _planned(plan: Plan, scenario: Scenario) -> int | None:
    """Return how many events the scenario should make room for, ``None`` if nobody can tell."""
    if plan.target is not None or plan.seconds is None:
        return plan.target
    return min(scenario.most, int(plan.seconds * _FASTEST_PER_S))


def _schema(connection: Connection, plan: Plan, scenario: Scenario) -> tuple[ContractVersion, SchemaUsed]:
    contract = contract_of(scenario)
    schema = contract.version(plan.schema_version or contract.active)
    subject = subject_for(plan.topic)
    if scenario.format not in FRAMED:
        print_ = fingerprint(schema.text)
        return schema, SchemaUsed(
            subject=subject, version=schema.version, id=number_of(schema.text), fingerprint=print_
        )
    with Registry(connection.registry) as registry:
        used = registry.lookup(subject, schema.text, scenario.format)
        if used is not None:
            used = used.model_copy(update={"fingerprint": _fingerprint(registry, used.id)})
    if used is None:
        version = "" if plan.schema_version is None else f" --up-to {schema.version}"
        as_format = "" if scenario.format == AVRO_NAME else f" --format {scenario.format}"
        raise Misconfigured(
            f"version {schema.version} of contract {contract.name} is not registered under subject {subject}",
            where=connection.registry.shown,
            hint=_how_to_register(contract, plan.topic, connection.registry.shown) + version + as_format + "`",
        )
    return schema, used


def _refuse_conflicts(
    connection: Connection, plan: Plan, scenario: Scenario, written: Sequence[ContractVersion]
) -> None:
    """Return if the table that the events come to holds them beside all that the subject had before.

    What a run has begun with is not asked again.

    :raises SchemaIncompatible: a field would get a column of its own, and nobody allowed it.
    """
    known = connection.known_registry
    conflicts = plan.column_conflicts or (None if known is None else known.column_conflicts)
    texts = [version.text for version in written]
    subject = subject_for(plan.topic)
    if scenario.format not in FRAMED:
        said = refuse_conflicts(None, subject, texts, table=plan.table, column_conflicts=conflicts)
    else:
        with Registry(connection.registry) as registry:
            said = refuse_conflicts(
                registry, subject, texts, table=plan.table, column_conflicts=conflicts, written=scenario.format
            )
    for sentence in said:
        log.warning("a column is not as the schema has it", field=sentence)


def _fingerprint(registry: Registry, schema_id: int) -> str | None:
    """Return the fingerprint of what the registry gives for an id: the loader keeps that text, and not ours.

    A registry may store what it recognised as the same schema with other docs, or in another form.
    """
    try:
        return fingerprint(registry.schema_text(schema_id))
    except UnsupportedSchema:
        return None


def _how_to_register(contract: Contract, topic: str, registry_url: str) -> str:
    """Return what to run, with its last command still open: a schema of the registry becomes a file first."""
    if not contract.subject:
        return f"Run `streamproof schemas gate {contract.source or contract.name} --topic {topic}"
    own = contract.subject.removesuffix("-value")
    address = f"{registry_url}/subjects/{quote(contract.subject, safe='')}/versions/latest/schema"
    return (
        f"Write to topic {own}, whose subject it is, or take the schema over: "
        f"`curl -fsS {address} > {own}.avsc && streamproof schemas gate {own}.avsc --topic {topic}"
    )
