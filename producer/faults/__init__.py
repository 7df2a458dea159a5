"""Faults that are injected on purpose, with their truth. Open ``injector.py`` first.

Off unless asked for. Which event gets which fault is a function of the seed, the shard and the event's number, as the
data is. ``docs/faults.md`` says what each does and how it is found again.
"""

from producer.faults.injector import SLICE_ROWS, Injected, Injector
from producer.faults.spec import Fault, as_text, from_mapping, parse_faults
from producer.faults.targets import FaultTargets

__all__ = ["SLICE_ROWS", "Fault", "FaultTargets", "Injected", "Injector", "as_text", "from_mapping", "parse_faults"]
