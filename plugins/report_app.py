"""The web pages behind the *Report* tab and the *Rehearsals* entry: published files, for those who may read the Dag.

Airflow mounts a plugin's application without any authentication, so that each route asks for itself; only the icon
is open. Built on the first request by ``streamproof_plugin.py``. FastAPI resolves annotations in the module's
globals, hence imports at the top.
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import jinja2
from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.core_api.security import GetUserDep, requires_access_dag
from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.responses import FileResponse, HTMLResponse, RedirectResponse, Response
from starlette.exceptions import HTTPException as StarletteHTTPException

from cluster.local import publications_dir
from consumer.report import find_report, list_reports

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

_templates = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True, trim_blocks=True
)
# "<Dag id>/<run id>", each part safe in an address.
_templates.filters["run_path"] = lambda run_id: "/".join(quote(part, safe="") for part in run_id.split("/"))


def build(base_path: str, prefix: str, publications: Path | None = None) -> FastAPI:
    """Return the application.

    :param base_path: path below which Airflow is served, without a slash at its end.
    :param prefix: path below that under which the application is mounted.
    :param publications: folder that is served; the default one when omitted.
    """
    folder = (publications or publications_dir()).resolve()
    app = FastAPI(title="Streamproof reports", docs_url=None, redoc_url=None, openapi_url=None)
    may_read = [Depends(requires_access_dag("GET"))]

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
    def index(user: GetUserDep) -> Response:
        """List the reports of the Dags that the user may read, the latest first."""
        readable = get_auth_manager().get_authorized_dag_ids(user=user, method="GET")
        reports = [entry for entry in list_reports(folder) if entry.run_id.split("/")[0] in readable]
        return _page("index.html", 200, reports=reports, base_path=base_path, prefix=prefix)

    @app.get("/runs/{dag_id}/{run_id}", dependencies=may_read)
    def report(dag_id: str, run_id: str) -> Response:
        """Show the report of one Dag run."""
        path = find_report(folder, f"{dag_id}/{run_id}")
        if path is None or not path.resolve().is_relative_to(folder):
            return _page(
                "message.html",
                404,
                title="This run has no report yet",
                text="The task report writes it at the end of the run. This page looks again every few seconds.",
                reload_s=RELOAD_S,
            )
        return FileResponse(path, media_type="text/html; charset=utf-8", headers=SECURITY_HEADERS)

    return app


def _page(template: str, status: int, **values: object) -> HTMLResponse:
    html = _templates.get_template(template).render(values)
    return HTMLResponse(html, status_code=status, headers=SECURITY_HEADERS)
