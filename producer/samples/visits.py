"""The sessions that begin in a part of an hour, and their clicks, as columns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from producer.samples.catalogue import Catalogue, Floats
from producer.samples.readers import Numbers, attributes, uniform

COLUMNS = (
    "user_id", "session_id", "session_start", "session_size", "click_article_id", "click_timestamp",
    "click_environment", "click_deviceGroup", "click_os", "click_country", "click_region", "click_referrer_type",
)  # fmt: skip
# Sessions of one click are not in the public files; these have one only where a part has no more clicks.
_LEAST, _MOST = 2, 60
_GOES_ON = 0.53  # that a session of two or more goes on
# Between two clicks: the median of what reading takes, and sigma of its logarithm; seconds.
_DWELL_S, _DWELL_SIGMA = 70.0, 0.9
_DWELL_BOUNDS_MS = (4_000, 1_500_000)
# No session is longer, so that one user's cannot overlap: users come in every third hour.
_LONGEST_MS = 7_000_000
TURNS = 3
_SKEW = 1.9  # how much oftener some users come
_REFERRERS, _REFERRER_SHARES = np.array([1, 2, 5, 7, 6, 4, 3]), np.array([0.5, 0.3, 0.1, 0.04, 0.03, 0.02, 0.01])


@dataclass(frozen=True, slots=True)
class Part:
    """A part of an hour, ``number`` of so many ``parts``, with so many ``clicks``; the first hour is 0."""

    hour: int
    begin_ms: int
    number: int
    parts: int
    clicks: int


def clicks_of(part: Part, *, seed: int, users: int, catalogue: Catalogue) -> dict[str, Numbers]:
    """Return the columns of the clicks of a part, session by session."""
    random = np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, part.hour, part.number])))
    if not part.clicks:
        return dict.fromkeys(COLUMNS, np.zeros(0, dtype=np.int64))
    sizes = _sizes(part.clicks, random)
    sessions = len(sizes)
    width_s = 3600 / part.parts
    starts_s = np.sort(random.random(sessions)) * width_s + part.number * width_s
    starts_ms = part.begin_ms + np.floor(starts_s).astype(np.int64) * 1000
    user = _users(part, sessions, users, random)
    at_ms = starts_ms.repeat(sizes) + _offsets_ms(sizes, random)
    of_user = attributes(seed, user)
    # Distinct within an hour, and without an order, as microseconds are.
    serial = ((np.arange(sessions, dtype=np.int64) * part.parts + part.number) * 7_919 + 271_737) % 999_983
    referrer = _REFERRERS[random.choice(len(_REFERRERS), sessions, p=_REFERRER_SHARES)]
    by_session = {
        "user_id": user,
        "session_id": starts_ms * 1000 + serial,
        "session_start": starts_ms,
        "session_size": sizes,
        **of_user,
        "click_referrer_type": referrer.astype(np.int64),
    }
    columns = {name: values.repeat(sizes) for name, values in by_session.items()}
    draws: Floats = random.random((2, len(at_ms)))
    columns |= {"click_timestamp": at_ms, "click_article_id": catalogue.read_at(at_ms, draws)}
    return {name: columns[name] for name in COLUMNS}


def _sizes(clicks: int, random: np.random.Generator) -> Numbers:
    """Return the clicks of each session, which add up."""
    drawn = np.minimum(_LEAST - 1 + random.geometric(1 - _GOES_ON, clicks // _LEAST + 1), _MOST)
    reached = np.cumsum(drawn)
    sizes = drawn[: int(np.searchsorted(reached, clicks)) + 1].astype(np.int64)
    sizes[-1] -= sizes.sum() - clicks
    if len(sizes) > 1 and sizes[-1] < _LEAST:
        sizes[-2] += sizes[-1]
        sizes = sizes[:-1]
    return sizes


def _offsets_ms(sizes: Numbers, random: np.random.Generator) -> Numbers:
    """Return how long after the start of its session each click is: one after the other."""
    dwell = np.exp(random.normal(np.log(_DWELL_S * 1000), _DWELL_SIGMA, int(sizes.sum())))
    dwell = np.clip(dwell, *_DWELL_BOUNDS_MS)
    ends = np.cumsum(sizes)
    first = ends - sizes
    dwell[first] = 1_000 + dwell[first] / 20  # the first one is what the session began with
    passed = np.cumsum(dwell)
    since = passed - (passed[first] - dwell[first]).repeat(sizes)
    lasts = since[ends - 1]
    return np.asarray(np.floor(since * np.minimum(1.0, _LONGEST_MS / lasts).repeat(sizes)), dtype=np.int64)


def _users(part: Part, sessions: int, users: int, random: np.random.Generator) -> Numbers:
    """Return a user for each session, none twice: of those whose turn it is, some of whom come oftener."""
    turns = TURNS * part.parts
    turn = part.hour % TURNS + TURNS * part.number
    many = (users - turn + turns - 1) // turns
    chosen = np.zeros(0, dtype=np.int64)
    while len(chosen) < sessions:
        drawn = np.floor(many * random.random(2 * (sessions - len(chosen)) + 8) ** _SKEW).astype(np.int64)
        _, places = np.unique(np.concatenate([chosen, drawn]), return_index=True)
        chosen = np.concatenate([chosen, drawn])[np.sort(places)][:sessions]
    return np.asarray(chosen * turns + turn)


def most_sessions(clicks: int) -> int:
    """Return how many sessions so many clicks can be at most."""
    return max(1, clicks // _LEAST)


def weights(begin_ms: int, hours: int, seed: int) -> Floats:
    """Return how many of the clicks begin in each hour, as weights: the rhythm of a day and of a week."""
    hour = np.arange(hours)
    local = ((begin_ms // 3_600_000) + hour - 3) % 24
    day = ((begin_ms // 3_600_000) + hour - 3) // 24 % 7  # 0 is a Thursday, as 1970 began
    weekend = np.isin(day, (2, 3))
    return np.asarray(_DAY[local] * np.where(weekend, 0.8, 1.0) * (0.92 + 0.16 * uniform(seed, hour, 9)))


# Share of the busiest hour by the hour of the day: little at night, from breakfast on more, most in the evening.
_DAY = np.array([
    0.34, 0.20, 0.13, 0.09, 0.08, 0.12, 0.26, 0.45, 0.60, 0.71, 0.78, 0.83,
    0.86, 0.84, 0.80, 0.78, 0.79, 0.83, 0.90, 0.96, 1.00, 0.94, 0.78, 0.54,
])  # fmt: skip
