"""What may be asked of the shop."""

from __future__ import annotations

from producer.scenarios.options import Option

OPTIONS = (
    Option(
        "products",
        int,
        "How many products there are.",
        default=5_000,
        title="Products",
        least=100,
        most=1_000_000,
    ),
)
