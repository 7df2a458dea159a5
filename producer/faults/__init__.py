"""Faults that are injected on purpose, with their truth. Open ``injector.py`` first.

Off unless asked for. Which event gets which fault is a function of the seed, the shard and the event's number, as the
data is. ``docs/faults.md`` says what each does and how it is found again.

``injector.py`` needs numpy, so it is imported when one of its names is asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from producer.faults.spec import Fault, as_text, from_mapping, parse_faults
from producer.faults.targets import FaultTargets

if TYPE_CHECKING:
    from producer.faults.injector import SLICE_ROWS, Injected, Injector
else:

    def __getattr__(name: str) -> object:
        if name not in {"SLICE_ROWS", "Injected", "Injector"}:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module("producer.faults.injector"), name)


__all__ = ["SLICE_ROWS", "Fault", "FaultTargets", "Injected", "Injector", "as_text", "from_mapping", "parse_faults"]
