"""Loading a topic into its warehouse exactly once, and proving it.

Open ``load.py`` first: its main function is the load protocol. ``audit.py`` is the proof, ``publish.py`` what readers
see of it. ``warehouse.py`` is the file that all of them work on.
"""

from consumer.audit import audit
from consumer.checks import CheckReport, CheckResult, run_checks
from consumer.limit import Limit, LimitBroken
from consumer.load import load
from consumer.progress import LoadProgress, LoadResult
from consumer.publish import Publication, publish
from consumer.report import ReportEntry, ReportResult, find_report, list_reports, page_kept, write_report
from consumer.verdict import AuditResult
from consumer.warehouse import Warehouse, open_warehouse

__all__ = [
    "AuditResult",
    "CheckReport",
    "CheckResult",
    "Limit",
    "LimitBroken",
    "LoadProgress",
    "LoadResult",
    "Publication",
    "ReportEntry",
    "ReportResult",
    "Warehouse",
    "audit",
    "find_report",
    "list_reports",
    "load",
    "open_warehouse",
    "page_kept",
    "publish",
    "run_checks",
    "write_report",
]
