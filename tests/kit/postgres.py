"""A real PostgreSQL for the tests of one worker: the server that the stack runs, with a database for each test."""

from __future__ import annotations

import os
import signal
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from stack.ports import LOOPBACK, Ports
from stack.services.postgres import USER, postgres_home, postgres_service
from tests.kit.waiting import wait_until

# What is stored outlives every process that is killed, the server's too. It would not outlive a machine that loses its
# power, which no test is: a disk is not waited for.
UNSYNCED = ("-c", "fsync=off", "-c", "full_page_writes=off")


@dataclass(frozen=True)
class PostgresServer:
    """A running server. Its user is a superuser."""

    port: int
    password: str
    process: subprocess.Popen[bytes]

    def url(self, database: str = "postgres", user: str = USER, password: str | None = None) -> str:
        """Return an address, password included."""
        return f"postgresql://{user}:{password or self.password}@{LOOPBACK}:{self.port}/{database}"

    def database(self) -> str:
        """Make a database and return its address."""
        name = f"test_{uuid.uuid4().hex[:12]}"
        self.run(f'CREATE DATABASE "{name}"')
        return self.url(name)

    def run(self, statement: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        """Run a statement."""
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            cursor = connection.execute(statement)  # type: ignore[call-overload]  # written by a test
            return cursor.fetchall() if cursor.description else []


@contextmanager
def running_postgres(state: Path) -> Iterator[PostgresServer]:
    """Start a server in a folder, and end it."""
    port = Ports(state).take("postgres")
    service = postgres_service(state, port=port)
    service.log.parent.mkdir(parents=True, exist_ok=True)
    env = os.environ | service.env
    with service.log.open("ab") as log:
        for command in service.prepare:
            subprocess.run(command, cwd=service.cwd, env=env, stdout=log, stderr=log, check=True, timeout=60)
        process = subprocess.Popen([*service.argv, *UNSYNCED], cwd=service.cwd, env=env, stdout=log, stderr=log)
    server = PostgresServer(port, (postgres_home(state) / "password").read_text().strip(), process)

    def answers() -> bool:
        try:
            return server.run("SELECT 1") == [(1,)]
        except psycopg.OperationalError:
            return False

    try:
        wait_until(answers, "PostgreSQL to answer", timeout_s=60)
        yield server
    finally:
        process.send_signal(signal.SIGINT)  # fast: connections are ended
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(5)
