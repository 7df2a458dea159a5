"""Logs of the command line: coloured and short on a terminal, JSON lines elsewhere; always on stderr."""

from __future__ import annotations

import logging
import os
import sys
from typing import TextIO, cast

import structlog

from cluster.errors import Misconfigured
from streamproof.console import shown
from streamproof.streams import ready_streams

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def _visible(_: object, __: str, event: structlog.types.EventDict) -> structlog.types.EventDict:
    """Make visible what comes from outside; ends of lines stay, for a trace has several."""
    return {name: shown(value) if isinstance(value, str) else value for name, value in event.items()}


class _Stderr:
    """Standard error as it is when a line is written: a live display and the tests put another in its place."""

    def write(self, text: str) -> None:
        """Write to it."""
        sys.stderr.write(text)

    def flush(self) -> None:
        """Flush it."""
        sys.stderr.flush()


def configure_logs() -> None:
    """Set structlog up for a command. ``STREAMPROOF_LOG_LEVEL`` takes debug, info, warning or error.

    Airflow sets structlog up for its own task logs, so this is for the command line only.
    """
    name = os.environ.get("STREAMPROOF_LOG_LEVEL", "info").lower()
    if name not in LEVELS:
        raise Misconfigured(
            f"unknown log level {name!r}", where="STREAMPROOF_LOG_LEVEL", hint=f"Use one of {', '.join(LEVELS)}"
        )
    on_terminal = sys.stderr.isatty()
    renderer: structlog.types.Processor = (
        structlog.dev.ConsoleRenderer(pad_event_to=32) if on_terminal else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="%H:%M:%S" if on_terminal else "iso", utc=not on_terminal),
            structlog.processors.StackInfoRenderer(),
            structlog.processors.format_exc_info,
            _visible,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[name]),
        logger_factory=structlog.WriteLoggerFactory(file=cast("TextIO", _Stderr())),
        cache_logger_on_first_use=True,
    )


def ready_worker() -> None:
    """Set a worker process up as the command itself is."""
    ready_streams()
    configure_logs()
