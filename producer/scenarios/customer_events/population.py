"""Who the customers are: each has one plan, one home, one or two devices and one taste, for good.

Every shard has customers of its own, so that the events of one customer come from one process, in order. The
customers of a shard depend on the seed and the shard alone: more shards are more customers, not other ones.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from producer.arrays import column, taken
from producer.draws import Floats, Ints, cumulative, draw
from producer.scenarios.customer_events.tables import (
    APP_VERSION_SHARES,
    APP_VERSIONS,
    CITIES,
    DEVICE_QUALITY,
    DEVICE_TYPES,
    MODELS,
    PLANS,
    SERVICES,
)

USERS_PER_SHARD = 100_000
_SECOND_DEVICE_SHARE = 0.55
_YEARLY_SHARE = 0.35
# Activity (sessions a customer has, relative to others) is log-normal: a few are heavy users.
_ACTIVITY_SIGMA = 1.0
# Customers by number of linked services, none to three.
_SERVICE_COUNT_SHARES = (0.45, 0.30, 0.17, 0.08)
_TENURE_MEDIAN_DAYS = 420.0
_TENURE_SIGMA = 1.1
_SERVICE_AGE_DAYS = 3650
_POPULATION_STREAM = 1  # sets the numbers drawn here apart from those of catalogue and blocks


@dataclass(frozen=True, slots=True)
class Population:
    """The customers of one shard, by columns; and the pools that their columns point into.

    ``devices`` has two columns; customers with one device have it twice.
    """

    user_ids: pa.StringArray
    subscriptions: pa.StructArray
    plan: Ints
    city: Ints
    devices: Ints
    genre: Ints
    activity: Floats
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
    return Population(
        user_ids=pa.array([f"u{number:09d}" for number in numbers.tolist()]),
        subscriptions=_subscriptions(rng, plan, first_day),
        plan=plan,
        city=draw(rng, cumulative([city.share for city in CITIES]), users),
        devices=devices,
        genre=draw(rng, cumulative(genre_weights), users),
        activity=rng.lognormal(0.0, _ACTIVITY_SIGMA, users),
        device_pool=device_pool,
        device_type=device_type,
        location_pool=_location_pool(),
    )


def quality_cap(population: Population, user: Ints, device: Ints) -> Ints:
    """Return the best quality (index of ``QUALITIES``) that plan and device allow."""
    plan_cap = np.array([plan.quality for plan in PLANS], dtype=np.int64)[population.plan[user]]
    device_cap = np.array(DEVICE_QUALITY, dtype=np.int64)[population.device_type[device]]
    return np.minimum(plan_cap, device_cap)


def _subscriptions(rng: np.random.Generator, plan: Ints, first_day: int) -> pa.StructArray:
    users = len(plan)
    tenure = np.minimum(rng.lognormal(np.log(_TENURE_MEDIAN_DAYS), _TENURE_SIGMA, users), _SERVICE_AGE_DAYS)
    start = first_day - 1 - tenure.astype(np.int64)
    billing = np.where(plan == 0, 0, np.where(rng.random(users) < _YEARLY_SHARE, 2, 1))
    groups = [list(itertools.combinations(SERVICES, size)) for size in range(len(_SERVICE_COUNT_SHARES))]
    shares = [share / len(group) for share, group in zip(_SERVICE_COUNT_SHARES, groups, strict=True) for _ in group]
    services = pa.array([list(chosen) for group in groups for chosen in group], type=pa.list_(pa.string()))
    return pa.StructArray.from_arrays(
        [
            taken(pa.array([entry.name for entry in PLANS]), plan),
            column(start.astype(np.int32)).cast(pa.date32()),
            taken(pa.array(["none", "monthly", "yearly"]), billing),
            taken(services, draw(rng, cumulative(shares), users)),
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
