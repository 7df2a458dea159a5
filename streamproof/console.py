"""What a command shows: a table for a person, or one JSON document for a machine; errors in one shape."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from cluster.errors import EXIT_OK, StreamproofError
from cluster.text.visible import visible

# Where nobody looks at a terminal (a file, a pipe, a CI log) nothing is cut to the 80 columns that rich assumes.
_UNSEEN_WIDTH = 160


class VisibleConsole(Console):
    """A console that shows control characters of what it is given, instead of sending them to the terminal.

    Names of runs and topics, keys and messages come from manifests, registries and records. Rich sends its own controls
    and colours apart from text, so nothing of them is lost.
    """

    def render_str(self, text: str, **how: Any) -> Text:
        """Make text visible before it becomes a renderable: rich drops some control characters there."""
        return super().render_str(shown(text), **how)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Render, and make the text of every segment visible."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(shown(segment.text), segment.style)


def plain(value: object) -> Text:
    """Return text for a cell or a line that is not markup, whatever brackets are in it."""
    return Text(shown(str(value)))


def shown(text: str) -> str:
    """Return text as it may stand on a terminal: what came from outside is seen, not obeyed."""
    return visible(text, keep="\n")


_seen = sys.stdout is not None and sys.stdout.isatty()
stdout = VisibleConsole(highlight=False, width=None if _seen else _UNSEEN_WIDTH)
stderr = VisibleConsole(stderr=True, highlight=False)


class Output:
    """One command's output. ``--json`` prints the document; otherwise the renderables are printed as they come."""

    def __init__(self, as_json: bool) -> None:
        self.as_json = as_json

    def show(self, *renderables: RenderableType) -> None:
        """Print for a person; nothing under ``--json``."""
        if not self.as_json:
            stdout.print(*renderables)

    def show_all(self, renderables: Iterable[RenderableType]) -> None:
        """Print one after the other for a person."""
        for renderable in renderables:
            self.show(renderable)

    def document(self, document: Mapping[str, Any]) -> None:
        """Print the JSON document under ``--json``; nothing for a person."""
        if self.as_json:
            sys.stdout.write(json.dumps(document, default=str) + "\n")
            sys.stdout.flush()

    def ended(self, document: Mapping[str, Any], error: StreamproofError | None) -> int:
        """End with a result on stdout, and with what is wrong in it on stderr; return the exit code.

        What is found is a result: the one JSON document carries both, so that nothing is raised.
        """
        if error is None:
            self.document(document)
            return EXIT_OK
        self.document({**document, "error": error.document()})
        print_error(error, as_json=False)
        return error.exit_code


def warn(sentence: str) -> None:
    """Print a warning to stderr, whatever goes to stdout."""
    stderr.print("[bold yellow]warning[/] ", end="")
    stderr.print(sentence, markup=False, soft_wrap=True)


def print_error(error: StreamproofError, *, as_json: bool) -> None:
    """Print what failed, where and what to do next to stderr, and under ``--json`` as a document to stdout."""
    if as_json:
        sys.stdout.write(json.dumps({"error": error.document()}) + "\n")
        sys.stdout.flush()
    stderr.print("[bold red]error[/] ", end="")
    stderr.print(error.message, markup=False, soft_wrap=True)
    if error.where:
        stderr.print(f"  where  {error.where}", markup=False, soft_wrap=True)
    if error.hint:
        stderr.print(f"  next   {error.hint}", markup=False, soft_wrap=True)


def query_command(database: Path | str, query: str) -> str:
    """Return a shell command that runs a query on a snapshot with this Python: DuckDB's own shell may not be there."""
    code = f'import duckdb; duckdb.connect("{database}", read_only=True).sql("{query}").show()'
    return f"{shlex.quote(sys.executable)} -c {shlex.quote(code)}"
