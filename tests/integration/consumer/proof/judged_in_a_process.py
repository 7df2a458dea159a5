"""Load a topic into a new warehouse, judge its runs, and print what is stored and said, as a process of its own.

Times, durations and random ids are left out: two processes must print the same. Arguments: topic and warehouse; the
connection is found as every command finds it.
"""

from __future__ import annotations

import hashlib
import json
import sys
import threading
from pathlib import Path
from typing import Any

import duckdb

from cluster.connection import Connection
from consumer.load.load import load
from consumer.proof.audit import audit
from consumer.proof.checks import run_checks
from consumer.verify import verify_warehouse

# What differs from process to process, by right.
_OWN = {
    "audit_id", "audited_at", "checked_at", "decode_s", "fetch_s", "first_seen", "insert_s", "load_id", "loaded_at",
    "read_at", "seconds",
}  # fmt: skip


def main(topic: str, warehouse: Path) -> None:
    connection = Connection.discover()
    load(connection, topic, warehouse, stop=threading.Event())
    said: dict[str, Any] = {}
    for run_id in ("plain", "faulted"):
        document = audit(connection, warehouse, topic, run_id).document()
        said[run_id] = {name: value for name, value in document.items() if name not in _OWN}
        said[f"checks of {run_id}"] = run_checks(warehouse, run_id, topic=topic).document()["results"]
    said["proofs"] = [proof.document() for proof in verify_warehouse(warehouse).proofs]
    print(json.dumps({"said": said, "stored": stored(warehouse)}))


def stored(warehouse: Path) -> dict[str, list[str]]:
    """Return the columns of each table in their order, and a digest of its rows in theirs."""
    found = {}
    with duckdb.connect(str(warehouse), read_only=True) as file:
        for (table,) in file.execute("SELECT table_name FROM duckdb_tables() ORDER BY 1").fetchall():
            columns = [row[0] for row in file.execute(f"DESCRIBE {table}").fetchall()]
            kept = [name for name in columns if name not in _OWN and (table, name) != ("audits", "document")]
            where = "WHERE key <> 'created_at'" if table == "meta" else ""
            order = "_partition, _offset" if table in {"events", "quarantine", "tombstones"} else "rowid"
            names = ", ".join(f'CAST("{name}" AS VARCHAR)' for name in kept)
            rows = file.execute(f"SELECT {names} FROM {table} {where} ORDER BY {order}").fetchall()
            found[table] = [*columns, f"{len(rows)} rows", hashlib.sha256(repr(rows).encode()).hexdigest()]
    return found


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
