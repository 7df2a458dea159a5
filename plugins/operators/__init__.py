"""The steps of a rehearsal as operators: each calls one function of the packages and says in figures what it did.

In the order of a run: ``preparing.py``, ``sending.py``, ``judging.py``. ``step.py`` beside this folder has what they
share.

Every step may be retried: a topic or a schema that is there is recognised, a generator goes on where its acknowledged
events end, a load goes on at the position in the warehouse, the rest is computed anew.
"""

from plugins.operators.judging import (
    PUBLICATIONS,
    TOPICS,
    AuditOperator,
    CheckOperator,
    LoadOperator,
    PublishOperator,
    ReportOperator,
)
from plugins.operators.preparing import EnsureTopicsOperator, PlanOperator, SchemaGateOperator
from plugins.operators.sending import BEGIN_TIMEOUT_S, GenerateShardOperator, IncidentsOperator

__all__ = [
    "BEGIN_TIMEOUT_S",
    "PUBLICATIONS",
    "TOPICS",
    "AuditOperator",
    "CheckOperator",
    "EnsureTopicsOperator",
    "GenerateShardOperator",
    "IncidentsOperator",
    "LoadOperator",
    "PlanOperator",
    "PublishOperator",
    "ReportOperator",
    "SchemaGateOperator",
]
