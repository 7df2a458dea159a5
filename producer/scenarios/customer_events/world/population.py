"""Who the customers are: each has one home, one or two devices and one taste, for good, and a plan that may change.

Every shard has customers of its own, so that the events of one customer come from one process, in order. The
customers of a shard depend on the seed and the shard alone: more shards are more customers, not other ones.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from producer.scenarios.customer_events.world.daytime import CITY_ZONE
from producer.scenarios.customer_events.world.tables import (
    APP_VERSION_SHARES,
    APP_VERSIONS,
    CITIES,
    DEVICE_QUALITY,
    DEVICE_TYPES,
    MODELS,
    PLANS,
    SERVICES,
)
from producer.toolkit.arrays import column, taken
from producer.toolkit.draws import Floats, Ints, cumulative, draw

USERS_PER_SHARD = 200_000
_SECOND_DEVICE_SHARE = 0.55
_YEARLY_SHARE = 0.35
# Activity (how soon a customer's turn comes, relative to others) is log-normal: a few are heavy users.
ACTIVITY_SIGMA = 1.0
# Customers whose plan changes now and then, to the one above or below and back; days between two changes, log-normal.
CHANGING_SHARE = 0.6
_CHANGE_MEDIAN_DAYS, _CHANGE_SIGMA = 300.0, 0.6
MIN_CHANGE_DAYS, _MAX_CHANGE_DAYS = 45, 3650
_NEVER_DAYS = 10**6
# Customers by number of linked services, none to three.
_SERVICE_COUNT_SHARES = (0.45, 0.30, 0.17, 0.08)
_TENURE_MEDIAN_DAYS = 420.0
_TENURE_SIGMA = 1.1
_SERVICE_AGE_DAYS = 3650


@dataclass(frozen=True, slots=True)
class Population:
    """The customers of one shard, by columns; and the pools that their columns point into.

    ``devices`` has two columns; customers with one device have it twice. ``subscriptions`` and ``plan`` hold two rows
    for each customer, one behind the rows of all: before a change of plan and after it, in turns. The next change
    comes when ``(day + change_phase) // change_days`` counts on. ``turn_times`` are, for ``turn_shares`` of
    customers, how long it takes until the turn of so many has come.
    """

    user_ids: pa.StringArray
    subscriptions: pa.StructArray
    plan: Ints
    change_days: Ints
    change_phase: Ints
    city: Ints
    zone: Ints
    devices: Ints
    genre: Ints
    activity: Floats
    turn_shares: Floats
    turn_times: Floats
    device_pool: pa.StructArray
    device_type: Ints
    location_pool: pa.StructArray


def build_population(
    seed: int, shard: int, *, genre_weights: Floats, first_day: int, users: int = USERS_PER_SHARD
) -> Population:
    """Return the customers of one shard.

    :param genre_weights: how popular each genre of the catalogue is.
    :param first_day: days since the epoch on which the events begin; every subscription is older.
    """
    rng = np.random.default_rng(np.random.SeedSequence([seed, shard, _POPULATION_STREAM]))
    numbers = np.arange(users, dtype=np.int64) + shard * USERS_PER_SHARD
    plan = draw(rng, cumulative([plan.share for plan in PLANS]), users)
    device_pool, device_type, shares = _device_pool()
    devices = draw(rng, cumulative(shares), 2 * users).reshape(users, 2)
    one_device = rng.random(users) >= _SECOND_DEVICE_SHARE
    devices[one_device, 1] = devices[one_device, 0]
    city = draw(rng, cumulative([city.share for city in CITIES]), users)
    plans = np.concatenate([plan, _neighbour(rng, plan)])
    change_days = np.clip(
        rng.lognormal(np.log(_CHANGE_MEDIAN_DAYS), _CHANGE_SIGMA, users), MIN_CHANGE_DAYS, _MAX_CHANGE_DAYS
    ).astype(np.int64)
    change_days[rng.random(users) >= CHANGING_SHARE] = _NEVER_DAYS
    activity = rng.lognormal(0.0, ACTIVITY_SIGMA, users)
    turn_times = np.geomspace(1e-6, 1e3, _TURN_STEPS)
    return Population(
        user_ids=_user_ids(numbers),
        subscriptions=_subscriptions(rng, plans, first_day),
        plan=plans,
        change_days=change_days,
        change_phase=np.where(change_days < _NEVER_DAYS, (2 * change_days * rng.random(users)).astype(np.int64), 0),
        city=city,
        zone=CITY_ZONE[city],
        devices=devices,
        genre=draw(rng, cumulative(genre_weights), users),
        activity=activity,
        turn_shares=1 - np.exp(-np.outer(turn_times, activity[:_TURN_SAMPLE])).mean(axis=1),
        turn_times=turn_times,
        device_pool=device_pool,
        device_type=device_type,
        location_pool=_location_pool(),
    )


def _user_ids(numbers: Ints) -> pa.StringArray:
    """Return `u` and nine digits for each number."""
    digits = pc.utf8_lpad(column(numbers).cast(pa.string()), width=9, padding="0")
    ids: pa.StringArray = pc.binary_join_element_wise(pa.scalar("u"), digits, pa.scalar(""))
    return ids


def subscription_on(population: Population, user: Ints, day: Ints) -> Ints:
    """Return the row of each customer's subscription on a day since the epoch."""
    changes = (day + population.change_phase[user]) // population.change_days[user]
    row: Ints = user + len(population.activity) * (changes % 2)
    return row


def quality_cap(population: Population, subscription: Ints, device: Ints) -> Ints:
    """Return the best quality (index of ``QUALITIES``) that plan and device allow."""
    plan_cap = np.array([plan.quality for plan in PLANS], dtype=np.int64)[population.plan[subscription]]
    device_cap = np.array(DEVICE_QUALITY, dtype=np.int64)[population.device_type[device]]
    return np.minimum(plan_cap, device_cap)


_POPULATION_STREAM = 1
_TURN_STEPS = 160
_TURN_SAMPLE = 4096


def _neighbour(rng: np.random.Generator, plan: Ints) -> Ints:
    """Return the plan above or below each."""
    up = np.where(rng.random(len(plan)) < 0.5, 1, -1)
    up = np.where(plan == 0, 1, np.where(plan == len(PLANS) - 1, -1, up))
    neighbour: Ints = plan + up
    return neighbour


def _subscriptions(rng: np.random.Generator, plans: Ints, first_day: int) -> pa.StructArray:
    """Return the subscriptions before and after a change of plan: begun on the same day, with the same services."""
    users = len(plans) // 2
    tenure = np.minimum(rng.lognormal(np.log(_TENURE_MEDIAN_DAYS), _TENURE_SIGMA, users), _SERVICE_AGE_DAYS)
    start = first_day - 1 - tenure.astype(np.int64)
    paid = np.where(rng.random(users) < _YEARLY_SHARE, 2, 1)
    billing = np.where(plans == 0, 0, np.tile(paid, 2))
    groups = [list(itertools.combinations(SERVICES, size)) for size in range(len(_SERVICE_COUNT_SHARES))]
    shares = [share / len(group) for share, group in zip(_SERVICE_COUNT_SHARES, groups, strict=True) for _ in group]
    services = pa.array([list(chosen) for group in groups for chosen in group], type=pa.list_(pa.string()))
    return pa.StructArray.from_arrays(
        [
            taken(pa.array([entry.name for entry in PLANS]), plans),
            column(np.tile(start.astype(np.int32), 2)).cast(pa.date32()),
            taken(pa.array(["none", "monthly", "yearly"]), billing),
            taken(services, np.tile(draw(rng, cumulative(shares), users), 2)),
        ],
        names=["plan", "start_date", "billing_cycle", "connected_services"],
    )


def _device_pool() -> tuple[pa.StructArray, Ints, list[float]]:
    """Return every combination of model, system version and app version, its type, and its share."""
    rows = [
        (model, os_version, app_version, model.share * app_share / len(model.os_versions))
        for model in MODELS
        for os_version in model.os_versions
        for app_version, app_share in zip(APP_VERSIONS, APP_VERSION_SHARES, strict=True)
    ]
    pool = pa.StructArray.from_arrays(
        [
            pa.array([model.type for model, *_ in rows]),
            pa.array([model.os for model, *_ in rows]),
            pa.array([os_version for _, os_version, *_ in rows]),
            pa.array([app_version for _, _, app_version, _ in rows]),
            pa.array([model.name for model, *_ in rows]),
        ],
        names=["type", "os", "os_version", "app_version", "model"],
    )
    types = np.array([DEVICE_TYPES.index(model.type) for model, *_ in rows], dtype=np.int64)
    return pool, types, [share for *_, share in rows]


def _location_pool() -> pa.StructArray:
    return pa.StructArray.from_arrays(
        [
            pa.array([city.country for city in CITIES]),
            pa.array([city.name for city in CITIES]),
            pa.array([city.region for city in CITIES]),
            pa.array([city.timezone for city in CITIES]),
        ],
        names=["country", "city", "region", "timezone"],
    )
