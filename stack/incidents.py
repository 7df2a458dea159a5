"""Incidents that somebody asked for (`cluster.incidents`): begun, ended and told of by the supervisor."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from cluster.incidents import ASK, FOLDER, Ask, Told, replace_file, told_file
from stack.supervised import Supervised

# Whoever took an ask back may still want to know how it ended.
_KEPT_S = 60.0


@dataclass(slots=True)
class _Incident:
    """One that goes on, or whose service is on its way back."""

    path: Path
    ask: Ask
    service: Supervised
    until: float
    told: Told


class Incidents:
    """All incidents of one state folder. What an earlier supervisor was asked for is forgotten."""

    def __init__(self, state: Path) -> None:
        self._folder = state / FOLDER
        self._under_way: list[_Incident] = []
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def any_under_way(self) -> bool:
        """Tell whether something is away, or not yet back."""
        return bool(self._under_way)

    def look(self, services: Sequence[Supervised]) -> bool:
        """Look once: begin what is asked for, end what is over, tell what became of each; return if one did."""
        before = [incident.told for incident in self._under_way]
        known = {incident.path for incident in self._under_way}
        for path in self._asked():
            if path not in known and not told_file(path).exists():
                self._begin(path, services)
        for incident in list(self._under_way):
            self._follow(incident)
        self._clear_away()
        return [incident.told for incident in self._under_way] != before

    def end_all(self) -> None:
        """End all of them, without waiting for anything: nothing stays frozen."""
        for incident in self._under_way:
            incident.service.give_back()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _asked(self) -> list[Path]:
        return sorted(self._folder.glob(f"[!.]*{ASK}")) if self._folder.exists() else []

    def _begin(self, path: Path, services: Sequence[Supervised]) -> None:
        try:
            ask = Ask.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            return  # taken back before it was seen
        except ValidationError:
            self._tell(path, Told(fault="the ask cannot be read: it is of another version of Streamproof"))
            return
        service = next((each for each in services if each.service.name == ask.service), None)
        if service is None:
            names = ", ".join(each.service.name for each in services)
            self._tell(path, Told(fault=f"there is no service {ask.service}; there are {names}"))
        elif fault := service.take_away(ask.kind):
            self._tell(path, Told(fault=fault))
        else:
            told = Told(began_at=_now())
            self._under_way.append(_Incident(path, ask, service, time.monotonic() + ask.for_s, told))
            self._tell(path, told)

    def _follow(self, incident: _Incident) -> None:
        told = incident.told
        over = time.monotonic() >= incident.until or not incident.path.exists() or not incident.ask.is_wanted()
        if told.ended_at is None and (over or not incident.service.is_away):
            incident.service.give_back()
            told = told.model_copy(update={"ended_at": _now()})
        stage = incident.service.record.stage
        if told.ended_at is not None and stage == "ready":
            told = told.model_copy(update={"back_at": _now()})
        elif told.ended_at is not None and stage == "died":
            told = told.model_copy(update={"fault": f"it did not come back: {incident.service.record.fault}"})
        if told != incident.told:
            incident.told = told
            self._tell(incident.path, told)
        if told.is_over:
            self._under_way.remove(incident)

    def _tell(self, path: Path, told: Told) -> None:
        with suppress(OSError):  # on a full disk: whoever asked waits, and gives up
            replace_file(told_file(path), told.model_dump_json())

    def _clear_away(self) -> None:
        """Forget what is over and not wanted any more; whoever asked has read it, or is gone."""
        if not self._folder.exists():
            return
        under_way = {told_file(incident.path) for incident in self._under_way}
        wanted = {told_file(path) for path in self._asked()}
        for told in self._folder.glob("[!.]*.told.json"):
            if told not in under_way | wanted and time.time() - told.stat().st_mtime > _KEPT_S:
                told.unlink(missing_ok=True)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
