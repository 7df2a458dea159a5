"""What customers do and when: sessions through a weighted state machine, cut to the window of one block.

A block covers a window of event time. Sessions start up to ``SESSION_MS`` before it, so that it opens with sessions
under way, as any moment of a real service does; what they did before the window is not part of the data. Customers of
even and odd blocks differ, so a session cut off at the end of a block can never overlap the next one of its customer.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from producer.scenarios.customer_events.behaviour.plays import Plays, draw_completed, draw_plays
from producer.scenarios.customer_events.world.catalogue import Catalogue
from producer.scenarios.customer_events.world.daytime import Window
from producer.scenarios.customer_events.world.population import Population, quality_cap, subscription_on
from producer.scenarios.customer_events.world.tables import NETWORK_SHARES
from producer.toolkit.draws import Bools, Ints, cumulative, draw, draw_by_row

BROWSE, SEARCH, PLAY, END = 0, 1, 2, 3
EVENT_TYPES = ("browse", "search", "content_play")
FIRST_STATE = (0.58, 0.20, 0.22)
# From each state (row) to browse, search, play, end.
TRANSITIONS = (
    (0.33, 0.15, 0.43, 0.09),
    (0.22, 0.20, 0.54, 0.04),
    (0.32, 0.11, 0.40, 0.17),
)
MAX_STEPS = 24
SESSION_MS = 3 * 3_600_000
# Time between the end of one event and the next event (for a play: its start), log-normal: median seconds, sigma.
GAPS = ((24.0, 0.9), (14.0, 0.7), (7.0, 0.6))
_MIN_GAP_MS = 800
_TASTE = 0.6
_FIRST_DEVICE = 0.68
# A customer who has seen an episode to its end and plays something next goes on with the next episode.
FOLLOWS_SHARE = 0.72
# Events of a session, on average; only a guess of how many sessions to draw at once.
_EVENTS_PER_SESSION = 4.75
_DAY_MS = 86_400_000

_FIRST = cumulative(FIRST_STATE)
_NEXT = cumulative(TRANSITIONS)
_NETWORK = cumulative(NETWORK_SHARES)
_GAP_MEDIAN_MS = np.array([1000 * median for median, _ in GAPS])
_GAP_SIGMA = np.array([sigma for _, sigma in GAPS])


@dataclass(frozen=True, slots=True)
class Events:
    """Events of one window, session after session, each session in order of time.

    ``at_ms`` is the time of the event (for a play: its end), milliseconds from the start of the window.
    ``play`` points into ``plays`` and is -1 where nothing plays. ``content`` is -1 where there is none.
    """

    session: Ints
    user: Ints
    subscription: Ints
    device: Ints
    network: Ints
    kind: Ints
    at_ms: Ints
    play: Ints
    content: Ints
    plays: Plays

    def __len__(self) -> int:
        return len(self.kind)

    def next_in_session(self) -> tuple[Ints, Bools]:
        """Return for each event the place of the next one, and whether that belongs to the same session."""
        following = np.minimum(np.arange(1, len(self) + 1), len(self) - 1)
        same = self.session[following] == self.session
        same[-1:] = False
        return following, same


def draw_events(
    rng: np.random.Generator, population: Population, catalogue: Catalogue, window: Window, *, half: int, count: int
) -> Events:
    """Return exactly ``count`` events of customers whose number is ``half`` modulo 2, each in one session at most."""
    span_ms = window.until_ms - window.from_ms
    per_session = _EVENTS_PER_SESSION * span_ms / (span_ms + SESSION_MS)
    users = _in_order_of_turn(rng, population, half, window, sessions=count / per_session)
    drawn: list[Events] = []
    missing, taken = count, 0
    while missing > 0:
        sessions = int(missing / per_session * 1.08) + 32
        turn = users[taken : taken + sessions]
        if not len(turn):
            raise RuntimeError(f"{len(users)} customers do not make {count} events")
        started_ms = window.starts(rng, population.zone[turn])
        part = simulate(rng, turn, population, catalogue, window, started_ms=started_ms, first_session=taken)
        drawn.append(part)
        missing -= len(part)
        taken += len(turn)
    return _first(_joined(drawn), count)


def _in_order_of_turn(
    rng: np.random.Generator, population: Population, half: int, window: Window, *, sessions: float
) -> Ints:
    """Return customers without repetition, active ones earlier (exponential race, Efraimidis and Spirakis 2006).

    When the turn of ``sessions`` customers has come, each time zone has its share of them: the share of the customers
    of a zone whose turn has come grows ever slower, so a zone's clock runs by the inverse of that.
    """
    zone = population.zone[half::2]
    customers = np.bincount(zone, minlength=len(window.mass))
    wanted = np.minimum(sessions * window.mass / (customers @ window.mass), _MOST_OF_A_ZONE)
    clock = np.interp(wanted, population.turn_shares, population.turn_times)
    turn = rng.standard_exponential(len(zone)) / (population.activity[half::2] * clock[zone])
    soon = np.flatnonzero(turn < _SOON)
    if len(soon) < sessions * 1.3 + _MARGIN:
        soon = np.arange(len(turn))
    return half + 2 * soon[np.argsort(turn[soon])]


_MOST_OF_A_ZONE = 0.9
# A little over 1, at which about ``sessions`` have had their turn: the others need no order.
_SOON = 2.2
# Sessions beyond the expected share: the few of a small block are too uneven for a share alone.
_MARGIN = 64


def simulate(
    rng: np.random.Generator,
    user: Ints,
    population: Population,
    catalogue: Catalogue,
    window: Window,
    *,
    started_ms: Ints,
    first_session: int = 0,
) -> Events:
    """Return what one session of each of ``user`` leaves in the window. ``started_ms`` counts from its start."""
    sessions = len(user)
    column = (rng.random(sessions) >= _FIRST_DEVICE).astype(np.int64)
    device = population.devices[user, column]
    network = draw_by_row(rng, _NETWORK, population.device_type[device])
    subscription = subscription_on(population, user, (window.from_ms + started_ms) // _DAY_MS)
    cap = quality_cap(population, subscription, device)

    states = _walk(rng, sessions)
    session, _ = np.nonzero(states != END)
    kind = states[states != END]
    playing = np.flatnonzero(kind == PLAY)
    content = np.full(len(kind), -1, dtype=np.int64)
    player = session[playing]
    completed = draw_completed(rng, len(playing))
    chosen = catalogue.choose(rng, population.genre[user[player]], _TASTE)
    content[playing] = _episodes_in_order(rng, catalogue, chosen, completed, player)
    plays = draw_plays(
        rng, catalogue.duration[content[playing]], completed=completed, cap=cap[player], network=network[player]
    )

    wall_ms = np.zeros(len(kind), dtype=np.int64)
    wall_ms[playing] = plays.wall_ms
    gap_ms = np.exp(rng.standard_normal(len(kind)) * _GAP_SIGMA[kind]) * _GAP_MEDIAN_MS[kind]
    lasted_ms = np.maximum(gap_ms.astype(np.int64), _MIN_GAP_MS) + wall_ms
    elapsed_ms = np.cumsum(lasted_ms)
    opens = np.flatnonzero(np.diff(session, prepend=-1))
    elapsed_ms -= np.repeat((elapsed_ms - lasted_ms)[opens], np.diff(opens, append=len(session)))
    at_ms = started_ms[session] + elapsed_ms

    seen = (at_ms >= 0) & (at_ms < window.until_ms - window.from_ms) & (elapsed_ms <= SESSION_MS)
    kept = np.flatnonzero(seen[playing])
    play = np.full(len(kind), -1, dtype=np.int64)
    play[playing[kept]] = np.arange(len(kept))
    return Events(
        session=session[seen] + first_session,
        user=user[session[seen]],
        subscription=subscription[session[seen]],
        device=device[session[seen]],
        network=network[session[seen]],
        kind=kind[seen],
        at_ms=at_ms[seen],
        play=play[seen],
        content=content[seen],
        plays=plays.take(kept),
    )


def _episodes_in_order(
    rng: np.random.Generator, catalogue: Catalogue, chosen: Ints, completed: Bools, session: Ints
) -> Ints:
    """Return the titles of plays, session after session, where what was chosen agrees with the play before it.

    After an episode seen to its end comes the next one (``FOLLOWS_SHARE``), and when the same series is chosen again
    it is the episode that was not finished, or the one that follows; after the last one, the first.
    """
    title = chosen.copy()
    follows = rng.random(len(chosen)) < FOLLOWS_SHARE
    later = np.flatnonzero(np.diff(session, prepend=-1) == 0)
    turn = _place_in_run(session)[later]
    for place in range(1, int(turn.max(initial=0)) + 1):
        play = later[turn == place]
        before = title[play - 1]
        # What a customer plays after an episode, if it is of the same series.
        after = np.where(catalogue.following[before] >= 0, catalogue.following[before], catalogue.first[before])
        ended = completed[play - 1]
        goes_on = follows[play] & ended & (catalogue.following[before] >= 0)
        again = (catalogue.first[before] >= 0) & (catalogue.first[before] == catalogue.first[title[play]])
        title[play] = np.where(goes_on | (again & ended), after, np.where(again, before, title[play]))
    return title


def _place_in_run(values: Ints) -> Ints:
    """Return for each value its place, from 0, among the equal ones around it."""
    opens = np.flatnonzero(np.diff(values, prepend=-1))
    places: Ints = np.arange(len(values)) - np.repeat(opens, np.diff(opens, append=len(values)))
    return places


def _walk(rng: np.random.Generator, sessions: int) -> Ints:
    """Return the states of each session (rows), END after its last event."""
    states = np.full((sessions, MAX_STEPS), END, dtype=np.int64)
    alive = np.arange(sessions)
    state = draw(rng, _FIRST, sessions)
    for step in range(MAX_STEPS):
        states[alive, step] = state
        state = draw_by_row(rng, _NEXT, state)
        alive, state = alive[state != END], state[state != END]
    return states


def _joined(parts: list[Events]) -> Events:
    if len(parts) == 1:
        return parts[0]
    before = np.cumsum([0, *(len(part.plays) for part in parts[:-1])])
    columns = {
        field.name: np.concatenate([getattr(part, field.name) for part in parts])
        for field in fields(Events)
        if field.name not in {"play", "plays"}
    }
    play = np.concatenate(
        [np.where(part.play < 0, -1, part.play + offset) for part, offset in zip(parts, before, strict=True)]
    )
    return Events(**columns, play=play, plays=Plays.joined([part.plays for part in parts]))


def _first(events: Events, count: int) -> Events:
    columns = {field.name: getattr(events, field.name)[:count] for field in fields(Events) if field.name != "plays"}
    return Events(**columns, plays=events.plays)
