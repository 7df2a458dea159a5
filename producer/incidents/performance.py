"""Performing the incidents of a run: the main path of this package."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog

from cluster.connection import KafkaSettings
from cluster.errors import StreamproofError
from cluster.incidents import ANSWER_TIMEOUT_S, Asked, Told, ask
from producer.incidents.recorder import Recorder
from producer.incidents.stage import Stage
from schemas.control_topic import read_incidents
from schemas.incidents import Incident, RunIncidents

log = structlog.get_logger()

TICK_S = 0.1
# An incident is recorded so much before its moment: while it lasts, the record may find no broker.
LEAD_S = 1.0
# A broker that is started again on a busy machine takes this long; whoever comes next finds the stack as it was.
BACK_TIMEOUT_S = 60.0
RECORD_TIMEOUT_S = 10.0
# After a signal the process is to be gone within four seconds.
HURRY_S = 1.5

_NO_ANSWER = "the supervisor of the stack does not answer: run `streamproof down`, then `streamproof up`"
_RUN_ENDED = "the run ended before it could begin"
_TOO_LATE = "its time had passed before it could begin"
_LEFT = "whoever asked for it was gone before its end, so that it ended then"


@dataclass(slots=True)
class _Scene:
    """One incident on its way."""

    incident: Incident
    asked: Asked | None = None
    asked_at: float = 0.0
    done: bool = False

    def note(self, **changes: object) -> None:
        self.incident = self.incident.model_copy(update=changes)


class Performance:
    """The incidents of one run, done once, whoever begins or continues it.

    :param incidents: what is asked for now; what an earlier attempt began is not done again.
    :param run_clock: gives the second of the run, ``None`` before its first event.
    """

    def __init__(
        self,
        kafka: KafkaSettings,
        topic: str,
        run_id: str,
        incidents: Sequence[Incident],
        stage: Stage,
        *,
        run_clock: Callable[[], float | None],
    ) -> None:
        self._kafka, self._topic, self._run_id = kafka, topic, run_id
        self._stage = stage
        self._run_clock = run_clock
        self._planned = incidents
        self._scenes: list[_Scene] = []

    @property
    def incidents(self) -> list[Incident]:
        """What is known of each, by their planned beginnings."""
        return sorted((scene.incident for scene in self._scenes), key=lambda incident: incident.at_s)

    def perform(self, over: Callable[[], bool], *, hurry: Callable[[], bool] = lambda: False) -> list[Incident]:
        """Do all of them at their moments, and return what happened.

        1. remember: what an earlier attempt began is not done again
        2. ask for each when the run has come to its moment, and follow what becomes of it; that its moment comes is
           recorded just before, so that a run that is continued knows it also where nothing could be written since
        3. when the run is over, take back what goes on, and wait until all that was away answers again
        4. record: each change as it comes, and the last one before this returns

        :param over: tells whether the run has ended; asked again and again.
        :param hurry: tells whether there is no time to wait for anything.
        """
        self._remember()
        recorder = Recorder(self._kafka)
        ended_at: float | None = None
        try:
            while not all(scene.done for scene in self._scenes):
                if ended_at is None and (over() or hurry()):
                    ended_at = time.monotonic()
                    self._end()
                for scene in self._scenes:
                    self._look(scene)
                # A run that never began has no record, and perhaps no topic.
                if self._run_clock() is not None and any(map(_has_news, self._scenes)):
                    recorder.keep(self._document())
                if ended_at is not None and time.monotonic() - ended_at > (HURRY_S if hurry() else BACK_TIMEOUT_S):
                    break
                time.sleep(TICK_S)
        finally:
            for scene in self._scenes:
                if scene.asked is not None:
                    scene.asked.take_back()
            recorder.close(HURRY_S if hurry() else RECORD_TIMEOUT_S)
        return self.incidents

    def _remember(self) -> None:
        try:
            recorded = read_incidents(self._kafka, self._topic, self._run_id)
        except StreamproofError:
            recorded = []  # there is no topic yet: the shards say what is wrong with it
        begun = {incident.asked: incident for incident in recorded if incident.asked_at is not None}
        for incident in begun.values():
            left = incident.ended_at is None and not incident.fault
            kept = incident.model_copy(update={"fault": _LEFT}) if left else incident
            self._scenes.append(_Scene(kept, done=True))
        self._scenes += [_Scene(incident) for incident in self._planned if incident.asked not in begun]

    def _look(self, scene: _Scene) -> None:
        if scene.done:
            return
        if scene.asked is None:
            self._begin(scene)
            return
        told = scene.asked.told()
        if told is None:
            if time.monotonic() - scene.asked_at > ANSWER_TIMEOUT_S:
                self._give_up(scene, _NO_ANSWER)
            return
        self._follow(scene, told)

    def _begin(self, scene: _Scene) -> None:
        run_s, incident = self._run_clock(), scene.incident
        if run_s is None or run_s < incident.at_s - LEAD_S:
            return
        if run_s > incident.at_s + incident.for_s:
            self._give_up(scene, _TOO_LATE)
            return
        if incident.asked_at is None:
            scene.note(asked_at=datetime.now(UTC).isoformat(timespec="milliseconds"))
        if run_s < incident.at_s:
            return
        try:
            scene.asked = ask(self._stage.state, incident.kind, self._stage.service(incident.target), incident.for_s)
        except OSError as error:
            self._give_up(scene, f"it could not be asked for: {error.strerror}")
            return
        scene.asked_at = time.monotonic()

    def _follow(self, scene: _Scene, told: Told) -> None:
        incident = scene.incident
        if told.began_at is not None and incident.began_at is None:
            scene.note(began_at=told.began_at, began_s=self._second_of(told.began_at))
            log.warning("incident begins", incident=incident.text)
        if told.ended_at is not None and incident.ended_at is None:
            scene.note(ended_at=told.ended_at, ended_s=self._second_of(told.ended_at))
            log.info("incident ends", incident=incident.text)
        if told.back_at is not None:
            scene.note(back_at=told.back_at, back_s=self._second_of(told.back_at))
            # Not by a key "target": Airflow's log of tasks has an argument of that name, and falls over it.
            log.info("target of the incident answers again", incident=incident.text)
        if told.fault:
            self._give_up(scene, told.fault)
        scene.done = scene.done or told.is_over

    def _give_up(self, scene: _Scene, fault: str) -> None:
        log.warning("incident failed", incident=scene.incident.text, why=fault)
        scene.note(fault=fault)
        scene.done = True

    def _end(self) -> None:
        for scene in self._scenes:
            if scene.asked is not None:
                scene.asked.take_back()
            elif not scene.done:
                self._give_up(scene, _RUN_ENDED)

    def _second_of(self, moment: str) -> float | None:
        run_s = self._run_clock()
        ago_s = (datetime.now(UTC) - datetime.fromisoformat(moment)).total_seconds()
        return None if run_s is None else round(max(0.0, run_s - ago_s), 3)

    def _document(self) -> RunIncidents:
        return RunIncidents(run_id=self._run_id, topic=self._topic, incidents=self.incidents)


def _has_news(scene: _Scene) -> bool:
    return bool(scene.incident.asked_at or scene.incident.fault)


class Beside:
    """A performance in a thread of its own, beside the run that this process does."""

    def __init__(self, performance: Performance, stop: threading.Event) -> None:
        self._performance = performance
        self._stop = stop
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._perform, name="performance", daemon=True)
        self._thread.start()

    def end(self) -> list[Incident]:
        """Say that the run is over, and return what happened, when what was away is back."""
        self._over.set()
        self._thread.join(timeout=BACK_TIMEOUT_S + RECORD_TIMEOUT_S)
        return self._performance.incidents

    def _perform(self) -> None:
        self._performance.perform(self._over.is_set, hurry=self._stop.is_set)
