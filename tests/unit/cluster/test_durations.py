"""Durations as people write them."""

import pytest

from cluster.errors import Misconfigured
from cluster.text.durations import seconds_in


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("5m", 300), ("1.5h", 5400), ("250ms", 0.25), (" 5 m ", 300), ("7", 7), (2.5, 2.5)],
)
def test_a_duration_is_a_number_and_its_unit_and_seconds_without_one(text: str | float, seconds: float) -> None:
    assert seconds_in(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "-5m", "5 weeks", "m", "1m30s", "nan", "inf", "1e9"])
def test_what_is_no_duration_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(Misconfigured, match=r"is not a duration.*90s or 5m"):
        seconds_in(text)
