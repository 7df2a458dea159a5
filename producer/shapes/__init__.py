"""Load shapes: when each event of a run is due.

Open ``kinds.py`` first: the shapes by name. ``curves.py`` is their arithmetic, ``schedule.py`` makes whole events of a
curve and deals them to shards, ``arrivals.py`` draws random gaps, ``grammar.py`` reads and writes shapes,
``outline.py`` describes them.
"""

from producer.shapes.grammar import from_setting, parse, to_text
from producer.shapes.kinds import KINDS, Constant, Poisson, Sequence, Shape, duration_s
from producer.shapes.outline import Outline, outline
from producer.shapes.schedule import Schedule, ShardSchedule, WholeSchedule

__all__ = [
    "KINDS",
    "Constant",
    "Outline",
    "Poisson",
    "Schedule",
    "Sequence",
    "Shape",
    "ShardSchedule",
    "WholeSchedule",
    "duration_s",
    "from_setting",
    "outline",
    "parse",
    "to_text",
]
