"""Promises of seconds, on a machine that has much else to do.

A promise of four seconds that the product breaks is broken each time. One that the machine breaks, by giving the
processor to somebody else, is broken now and then. So a test that fails with :class:`TooSlow`, and with nothing else,
is tried again, twice at most (``pytest-rerunfailures``; the options are in ``pyproject.toml``).
"""

from __future__ import annotations

import time


class TooSlow(AssertionError):
    """Something was right, and late."""


def held(took_s: float, limit_s: float, what: str) -> None:
    """Hold what took a number of seconds to less than another.

    :param what: what took so long, as it reads before "took 5.1 s".
    :raises TooSlow: it took as long, or longer.
    """
    if took_s >= limit_s:
        raise TooSlow(f"{what} took {took_s:.1f} s; less than {limit_s:g} s are promised")


def within(limit_s: float, since: float, what: str) -> None:
    """Hold what began at ``since``, by ``time.monotonic``, to a number of seconds. See :func:`held`."""
    held(time.monotonic() - since, limit_s, what)
