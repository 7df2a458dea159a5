"""The web pages behind the *Report* tab and the *Rehearsals* entry: published files, and what Airflow knows of them.
The live page is below them (``live_page.py``).

Airflow mounts a plugin's application without any authentication, so that each route asks for itself; only the icon
is open. Built on the first request by ``streamproof_plugin.py``. FastAPI resolves annotations in the module's
globals, hence imports at the top. ``run_sight.py`` reads what Airflow knows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import jinja2
from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.common.db.common import SessionDep
from airflow.api_fastapi.core_api.security import GetUserDep, requires_access_dag
from fastapi import Depends, FastAPI, HTTPException, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from starlette.exceptions import HTTPException as StarletteHTTPException

from cluster.local import publications_dir
from consumer.report import ReportEntry, find_report, latest_reports, outdated
from plugins.pages.live_page import build_live
from plugins.pages.run_sight import RunSight, known_dags, run_kinds, see_run

# Pages bring their styles and drawings along, and run no scripts.
SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; font-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" fill="none" stroke="#4c8df0" stroke-width="2.2" '
    'stroke-linecap="round" stroke-linejoin="round"><path d="M3 7h9M3 12h6M3 17h5m3.5-1.5 3 3 6-8"/></svg>'
)
RELOAD_S = 5
ROWS = 50
TERMINAL = "terminal"

_templates = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True, trim_blocks=True
)
# "<Dag id>/<run id>", each part safe in an address.
_templates.filters["run_path"] = lambda run_id: "/".join(quote(part, safe="") for part in run_id.split("/"))
_templates.filters["quoted"] = lambda text: quote(text, safe="")


@dataclass(frozen=True, slots=True)
class Row:
    """A report of the list: where it came from, and Airflow's state of its run, empty where Airflow knows none."""

    report: ReportEntry
    kind: str
    state: str


def build(base_path: str, prefix: str, publications: Path | None = None) -> FastAPI:
    """Return the application.

    :param base_path: path below which Airflow is served, without a slash at its end.
    :param prefix: path below that under which the application is mounted.
    :param publications: folder that is served; the default one when omitted.
    """
    folder = (publications or publications_dir()).resolve()
    app = FastAPI(title="Streamproof reports", docs_url=None, redoc_url=None, openapi_url=None)
    may_read = [Depends(requires_access_dag("GET"))]
    _templates.globals["home"] = f"{base_path}{prefix}/"

    @app.exception_handler(StarletteHTTPException)
    def refuse(request: Request, error: HTTPException) -> Response:
        """Send a browser to the login page; tell others what is wrong."""
        if error.status_code == 401 and "text/html" in request.headers.get("accept", ""):
            back = quote(f"{base_path}{request.url.path}", safe="")
            return RedirectResponse(f"{base_path}/auth/login?next={back}", status_code=303, headers=SECURITY_HEADERS)
        return _page("message.html", error.status_code, title=str(error.detail))

    @app.get("/icon.svg")
    def icon() -> Response:
        return Response(ICON, media_type="image/svg+xml", headers={"X-Content-Type-Options": "nosniff"})

    @app.get("/", dependencies=may_read)
    def index(user: GetUserDep, session: SessionDep, page: Annotated[int, Query(ge=1, le=10_000)] = 1) -> Response:
        """List the reports that the user may read, the latest first: those of Dags, and those of the terminal."""
        readable = get_auth_manager().get_authorized_dag_ids(user=user, method="GET")
        known = known_dags(session)
        reports = _readable(latest_reports(folder), readable, known)
        shown = list(islice(reports, (page - 1) * ROWS, page * ROWS + 1))
        of_dags = [_parts(entry.run_id) for entry in shown if _dag_of(entry.run_id) in known]
        kinds = run_kinds(session, of_dags)
        rows = [_row(entry, kinds, known) for entry in shown[:ROWS]]
        return _page("index.html", 200, rows=rows, page=page, more=len(shown) > ROWS)

    @app.get("/terminal/{run_id:path}", dependencies=may_read)
    def of_terminal(run_id: str, session: SessionDep) -> Response:
        """Show the report of a run that no Dag made: whoever may read Dags at all may read it."""
        if _dag_of(run_id) in known_dags(session) or _looks_scheduled(run_id):
            return _page("message.html", 404, title="This is a run of a Dag", text="Its page is in the list.")
        return _report(folder, run_id, None)

    @app.get("/runs/{dag_id}/{run_id}", dependencies=may_read)
    def of_dag(dag_id: str, run_id: str, session: SessionDep) -> Response:
        """Show the report of one Dag run, below what Airflow knows of the run."""
        if dag_id not in known_dags(session):
            return _page("message.html", 404, title="There is no such Dag", text=f"Airflow knows no Dag {dag_id}.")
        return _report(folder, f"{dag_id}/{run_id}", see_run(session, base_path, dag_id, run_id))

    live = build_live(f"{base_path}{prefix}/live", folder)
    live.add_exception_handler(StarletteHTTPException, refuse)  # type: ignore[arg-type]  # it is given no other
    app.mount("/live", live)
    return app


def _report(folder: Path, run_id: str, sight: RunSight | None) -> Response:
    """Return the page of a run, what Airflow knows of it on top; or say in words why there is none."""
    path = find_report(folder, run_id)
    if path is None or not path.resolve().is_relative_to(folder):
        if sight is None:
            text = f"Neither Airflow nor the folder of reports knows {run_id}."
            return _page("message.html", 404, title="There is no such run", text=text)
        title = "This run ended without a report" if sight.ended else "This run has no report yet"
        return _page("no_report.html", 404, title=title, run=sight, reload_s=None if sight.ended else RELOAD_S)
    html = path.read_text(encoding="utf-8")
    behind = outdated(path.parent)
    if sight is not None or behind:
        # The page is a finished document: what is known beside it goes to the beginning of its body.
        before, body, after = html.partition("<body")
        tag, bracket, rest = after.partition(">")
        top = _templates.get_template("above.html").render(run=sight, outdated=behind)
        html = f"{before}{body}{tag}{bracket}{top}{rest}"
    return HTMLResponse(html, headers=SECURITY_HEADERS)


def _readable(reports: Iterator[ReportEntry], readable: set[str], known: set[str]) -> Iterator[ReportEntry]:
    """Leave out the runs of Dags that the user may not read. A run that no Dag made is nobody's to hide."""
    for entry in reports:
        dag_id = _dag_of(entry.run_id)
        if dag_id in readable or (dag_id not in known and not _looks_scheduled(entry.run_id)):
            yield entry


def _row(entry: ReportEntry, kinds: dict[tuple[str, str], tuple[str, str]], known: set[str]) -> Row:
    if _dag_of(entry.run_id) not in known:
        return Row(entry, TERMINAL, "")
    state, kind = kinds.get(_parts(entry.run_id), ("", "gone from Airflow"))
    return Row(entry, kind.replace("_", " "), state)


def _parts(run_id: str) -> tuple[str, str]:
    dag_id, _, rest = run_id.partition("/")
    return dag_id, rest


def _dag_of(run_id: str) -> str:
    """Return the id of the Dag that made a run; empty for one that no Dag can have made."""
    dag_id, slash, _ = run_id.partition("/")
    return dag_id if slash else ""


def _looks_scheduled(run_id: str) -> bool:
    """Tell whether a run bears a name that Airflow gives: then it is of a Dag that Airflow has forgotten."""
    return _parts(run_id)[1].startswith(("manual__", "scheduled__", "backfill__", "asset_triggered__"))


def _page(template: str, status: int, **values: object) -> HTMLResponse:
    html = _templates.get_template(template).render(values)
    return HTMLResponse(html, status_code=status, headers=SECURITY_HEADERS)
