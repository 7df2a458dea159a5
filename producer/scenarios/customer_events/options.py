"""What may be asked of the customers."""

from __future__ import annotations

from producer.scenarios.options import Option

OPTIONS = (
    Option(
        "time_compression",
        float,
        "How much faster event time passes than the run sends, which needs a rate or a shape. A block of events spans "
        "eight hours if nothing is said.",
        title="Time compression",
        above=0,
        flag="--time-compression",
    ),
)
