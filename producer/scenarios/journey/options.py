"""What may be asked of the site: nothing beside what every run has."""

from __future__ import annotations

from producer.scenarios.options import Option

OPTIONS: tuple[Option, ...] = ()
