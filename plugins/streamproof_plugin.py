"""Report and live view of a run as tabs of its Dag run; all reports, and all topics, as entries of the navigation.

Light on purpose: every Airflow process imports this module. The web application and what it needs load on the
first request.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from airflow.sdk import conf
from airflow.sdk.plugins_manager import AirflowPlugin

PREFIX = "/streamproof"
# When Airflow is served below a path, the UI does not add it to a plugin's addresses.
BASE_PATH = urlsplit(conf.get("api", "base_url", fallback="")).path.rstrip("/")


class ReportApp:
    """An ASGI application that is built by its first request."""

    _app: Any = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one request."""
        if self._app is None:
            from plugins.pages.report_app import build

            self._app = build(BASE_PATH, PREFIX)
        await self._app(scope, receive, send)


class StreamproofPlugin(AirflowPlugin):
    """Registers the application and its places in the UI."""

    name = "streamproof"
    fastapi_apps = [{"name": "streamproof-reports", "app": ReportApp(), "url_prefix": PREFIX}]  # noqa: RUF012 - Airflow's form
    external_views = [  # noqa: RUF012 - Airflow's form
        {
            "name": "Rehearsals",
            "href": f"{BASE_PATH}{PREFIX}/",
            "url_route": "rehearsals",
            "destination": "nav",
            "nav_top_level": True,
            "icon": f"{BASE_PATH}{PREFIX}/icon.svg",
        },
        {
            "name": "Report",
            "href": f"{BASE_PATH}{PREFIX}/runs/{{DAG_ID}}/{{RUN_ID}}",
            "url_route": "rehearsal-report",
            "destination": "dag_run",
            "icon": f"{BASE_PATH}{PREFIX}/icon.svg",
        },
        {
            "name": "Live",
            "href": f"{BASE_PATH}{PREFIX}/live/",
            "url_route": "live",
            "destination": "nav",
            "nav_top_level": True,
            "icon": f"{BASE_PATH}{PREFIX}/live/static/icon.svg",
        },
        {
            "name": "Live",
            "href": f"{BASE_PATH}{PREFIX}/live/runs/{{DAG_ID}}/{{RUN_ID}}/",
            "url_route": "live-run",
            "destination": "dag_run",
            "icon": f"{BASE_PATH}{PREFIX}/live/static/icon.svg",
        },
    ]
