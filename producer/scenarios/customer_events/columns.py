"""The Arrow columns of the contract, from events as plain arrays. Structs come from pools by index."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from producer.scenarios.customer_events.behaviour.plays import SCRIPTS, Plays
from producer.scenarios.customer_events.world.catalogue import Catalogue
from producer.scenarios.customer_events.world.tables import ALGORITHMS, NETWORKS, QUALITIES, SPEEDS
from producer.toolkit.arrays import column, lists, taken, timestamps
from producer.toolkit.draws import Bools, Ints, spread
from producer.toolkit.ids import numbered

# The fields of the contract beside the identity, in its order.
NAMES = (
    "event_type",
    "user_id",
    "session_id",
    "timestamp",
    "device",
    "location",
    "content",
    "subscription",
    "details",
    "actions",
    "recommendations",
    "search_history",
)
ACTION_TYPES = ("play", "pause", "resume", "seek", "quality_change", "speed_change", "stop", "click")
_PLAY, _PAUSE, _RESUME, _SEEK, _QUALITY, _SPEED, _STOP, _CLICK = range(len(ACTION_TYPES))


def details(plays: Plays, play: Ints, network: Ints) -> Any:
    """Return the ``details`` column; ``play`` is -1 where nothing plays."""
    missing = play < 0
    row = np.where(missing, 0, play)
    return pa.StructArray.from_arrays(
        [
            column(plays.played_s.astype(np.int32)[row]),
            column(plays.percentage[row]),
            taken(_QUALITY_NAMES, plays.quality[row]),
            column(plays.buffering.astype(np.int32)[row]),
            column(_SPEED_FACTORS[plays.speed[row]]),
            column(plays.paused[row]),
            column(plays.completed[row]),
            taken(_NETWORK_NAMES, network),
            column(plays.bandwidth[row]),
        ],
        names=[
            "play_duration",
            "play_percentage",
            "playback_quality",
            "buffering_incidents",
            "playback_speed",
            "paused",
            "completed",
            "network_type",
            "bandwidth",
        ],
        mask=column(missing),
    )


_QUALITY_NAMES = pa.array(QUALITIES)
_NETWORK_NAMES = pa.array(NETWORKS)
_ACTION_NAMES = pa.array(ACTION_TYPES)
_ALGORITHM_NAMES = pa.array(ALGORITHMS)
_SPEED_FACTORS = np.array(SPEEDS)


def _action_table() -> tuple[Ints, Ints, Ints]:
    """Lay the scripts out as rows of actions with play and stop around them: kinds, step numbers, lengths."""
    kinds = {"pause": (_PAUSE, _RESUME), "seek": (_SEEK,), "quality_change": (_QUALITY,), "speed_change": (_SPEED,)}
    rows: list[list[int]] = []
    steps: list[list[int]] = []
    for _, script in SCRIPTS:
        rows.append([_PLAY, *(kind for name in script for kind in kinds[name]), _STOP])
        steps.append([0, *(step for step, name in enumerate(script) for _ in kinds[name]), 0])
    width = max(map(len, rows))
    pad = [row + [-1] * (width - len(row)) for row in rows]
    pad_steps = [row + [0] * (width - len(row)) for row in steps]
    return np.array(pad), np.array(pad_steps), np.array([len(row) for row in rows])


_ACTIONS, _STEPS, _LENGTHS = _action_table()


def actions(plays: Plays, play: Ints, at_ms: Ints, clicked: Bools, epoch_ms: int) -> Any:
    """Return the ``actions`` column: what happened during a play, or the click of an event that led on.

    :param at_ms: time of the event; a play began ``wall_ms`` earlier.
    """
    playing = play >= 0
    script = plays.script[np.where(playing, play, 0)]
    lengths = np.where(playing, _LENGTHS[script], clicked.astype(np.int64))
    event = np.repeat(np.arange(len(play)), lengths)
    place = spread(np.zeros(len(play), dtype=np.int64), lengths)
    is_play = playing[event]
    row = np.where(is_play, play[event], 0)
    kind = np.where(is_play, _ACTIONS[script[event], place], _CLICK)
    step = _STEPS[script[event], place]

    # Pauses that lie wholly before an action: all of earlier steps, and its own for a resume.
    first, second = plays.pause_s[row, 0], plays.pause_s[row, 1]
    own_pause = np.where((step == 1) & (_first_step_pauses[script[event]]), second, first)
    paused_s = np.where((step == 1) & _first_step_pauses[script[event]], first, 0) + np.where(
        kind == _RESUME, own_pause, 0
    )
    ran_ms = np.rint(plays.turn[row, step] * plays.ran_ms[row]).astype(np.int64)
    within_ms = np.where(kind == _PLAY, 0, ran_ms + 1000 * paused_s)
    within_ms = np.where(kind == _STOP, plays.wall_ms[row], within_ms)
    moment = at_ms[event] - np.where(is_play, plays.wall_ms[row] - within_ms, 0) + epoch_ms

    duration = np.where(kind == _PLAY, plays.played_s[row], own_pause).astype(np.int32)
    old_quality, new_quality = _quality_steps(plays, row, step, script[event])
    return lists(
        lengths,
        pa.StructArray.from_arrays(
            [
                taken(_ACTION_NAMES, kind),
                timestamps(moment),
                column(duration, missing=(kind != _PLAY) & (kind != _PAUSE)),
                column((kind != _PLAY) | plays.completed[row]),
                taken(_QUALITY_NAMES, old_quality, missing=kind != _QUALITY),
                taken(_QUALITY_NAMES, new_quality, missing=kind != _QUALITY),
                column(_SPEED_FACTORS[plays.first_speed[row]], missing=kind != _SPEED),
                column(_SPEED_FACTORS[plays.speed[row]], missing=kind != _SPEED),
            ],
            names=[
                "action_type",
                "timestamp",
                "duration",
                "completed",
                "old_quality",
                "new_quality",
                "old_speed",
                "new_speed",
            ],
        ),
    )


_first_step_pauses: Bools = np.array([bool(steps) and steps[0] == "pause" for _, steps in SCRIPTS])
_two_quality_steps: Bools = np.array([steps.count("quality_change") == 2 for _, steps in SCRIPTS])


def _quality_steps(plays: Plays, row: Ints, step: Ints, script: Ints) -> tuple[Ints, Ints]:
    """Return old and new quality of a change: one change leads to the final quality, two go away and back."""
    away = _two_quality_steps[script] & (step == 0)
    back = _two_quality_steps[script] & (step == 1)
    old = np.where(back, plays.other_quality[row], plays.first_quality[row])
    new = np.where(away, plays.other_quality[row], plays.quality[row])
    return old, new


def recommendations(
    rng: np.random.Generator,
    catalogue: Catalogue,
    *,
    offered: Ints,
    own: Ints,
    opened: Ints,
) -> tuple[Any, Bools]:
    """Return the ``recommendations`` column, and which events had one clicked.

    :param offered: length of each event's list; 0 for none, below ``SHELF_SIZE``.
    :param own: title of the event, which is not recommended beside itself; -1 for none.
    :param opened: title that the customer opened from the list; -1 for none.
    """
    shelf = rng.integers(0, len(catalogue.shelves), len(offered))
    wanted = (rng.random(len(offered)) * np.maximum(offered, 1)).astype(np.int64)
    event = np.repeat(np.arange(len(offered)), offered)
    first = np.cumsum(offered) - offered
    place = np.arange(len(event)) - first[event]
    titles = catalogue.shelves[shelf[event], place]
    # The last place of a shelf is never shown, so it can stand in for the title itself.
    beside_itself = titles == own[event]
    titles[beside_itself] = catalogue.shelves[shelf[event[beside_itself]], -1]
    # A title that the list holds anyway is clicked where it stands; another one takes a place.
    present = np.flatnonzero(titles == opened[event])
    wanted[event[present]] = place[present]
    clicked = (opened >= 0) & (offered > 0)
    clicks = (first + wanted)[clicked]
    titles[clicks] = opened[clicked]
    is_click = np.zeros(len(event), dtype=np.bool_)
    is_click[clicks] = True
    items = pa.StructArray.from_arrays(
        [
            taken(catalogue.ids, titles),
            column((place + 1).astype(np.int32)),
            taken(_ALGORITHM_NAMES, catalogue.shelf_algorithm[shelf[event]]),
            column(is_click),
        ],
        names=["content_id", "position", "algorithm", "clicked"],
    )
    return lists(offered, items), clicked


def searches(
    catalogue: Catalogue, *, first: Ints, lengths: Ints, query: Ints, moment: Ints, numbers: Ints, prefix: str
) -> Any:
    """Return the ``search_history`` column.

    :param first: for each event, the place of its session's first search among all searches.
    :param lengths: for each event, how many searches its session has made up to it.
    :param query: for each search, its place in ``catalogue.queries``; ``moment`` its time; ``numbers`` its number.
    """
    table = pa.StructArray.from_arrays(
        [
            numbered(prefix, numbers, 9),
            timestamps(moment),
            taken(catalogue.queries, query),
            column(catalogue.results[query].astype(np.int32)),
        ],
        names=["search_id", "timestamp", "query", "results_count"],
    )
    return lists(lengths, taken(table, spread(first, lengths)))
