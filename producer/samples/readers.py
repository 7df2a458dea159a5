"""What stays the same of a user: device, system, environment, country and region. A function of seed and user alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.int64]

# Codes as the public files have them. Device groups: 1 desktop, 3 phone, 4 tablet.
_DEVICES, _DEVICE_SHARES = np.array([1, 3, 4]), (0.58, 0.39, 0.03)
# Operating systems of each device group, and the share of each.
_SYSTEMS = {1: ((17, 20, 13), (0.86, 0.10, 0.04)), 3: ((20, 2, 12), (0.78, 0.21, 0.01)), 4: ((2, 12), (0.7, 0.3))}
# 1 an article that a social network shows itself, 2 the app, 4 the web; a desktop has no app.
_ENVIRONMENTS = {1: ((4, 1), (0.995, 0.005)), 3: ((4, 2, 1), (0.9, 0.08, 0.02)), 4: ((4, 2), (0.9, 0.1))}
_HOME = 1
_COUNTRIES, _COUNTRY_SHARES = np.array([_HOME, *range(2, 12)]), (0.97, *([0.003] * 10))
_REGIONS = 28
_REGION_SKEW = 2.2
COLUMNS = ("click_environment", "click_deviceGroup", "click_os", "click_country", "click_region")


def attributes(seed: int, users: Numbers) -> dict[str, Numbers]:
    """Return the columns of :data:`COLUMNS` for some users, int64."""
    device = _chosen(_DEVICES, _DEVICE_SHARES, uniform(seed, users, 1))
    country = _chosen(_COUNTRIES, _COUNTRY_SHARES, uniform(seed, users, 2))
    at_home = 1 + np.floor(_REGIONS * uniform(seed, users, 3) ** _REGION_SKEW).astype(np.int64)
    return {
        "click_environment": _by_device(_ENVIRONMENTS, device, uniform(seed, users, 4)),
        "click_deviceGroup": device,
        "click_os": _by_device(_SYSTEMS, device, uniform(seed, users, 5)),
        "click_country": country,
        # Abroad has one region for each country, behind those at home.
        "click_region": np.where(country == _HOME, at_home, _REGIONS + country - 1),
    }


def uniform(seed: int, numbers: Numbers, purpose: int) -> NDArray[np.float64]:
    """Return a number of [0, 1) for each number: always the same one, and another for another purpose.

    The finaliser of SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
    """
    with np.errstate(over="ignore"):
        mixed = numbers.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(
            seed * 64 + purpose + 1
        ) * np.uint64(0xD1B54A32D192ED03)
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
            mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
        mixed ^= mixed >> np.uint64(31)
    return (mixed >> np.uint64(11)).astype(np.float64) / 2**53


def _chosen(values: Numbers, shares: tuple[float, ...], drawn: NDArray[np.float64]) -> Numbers:
    edges = np.cumsum(shares) / sum(shares)
    return values[np.minimum(np.searchsorted(edges, drawn, side="right"), len(values) - 1)].astype(np.int64)


def _by_device(
    of: dict[int, tuple[tuple[int, ...], tuple[float, ...]]], device: Numbers, drawn: NDArray[np.float64]
) -> Numbers:
    found = np.zeros(len(device), dtype=np.int64)
    for group, (values, shares) in of.items():
        mine = device == group
        found[mine] = _chosen(np.array(values), shares, drawn[mine])
    return found
