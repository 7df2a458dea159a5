"""Which files the newest version of a Delta table has, as its log says. Runs by itself with any Python that has
``deltalake``: ``python delta_log.py FOLDER`` prints one line of JSON.
"""

import json
import os
import sys
from typing import Any
from urllib.parse import unquote

# What a reader may leave out of account: how times without a zone are written, how a vacuum and a checkpoint go.
_HARMLESS = frozenset({"timestampNtz", "vacuumProtocolCheck", "v2Checkpoint"})


def listed(folder: str) -> dict[str, Any]:
    """Return ``version``, ``at`` (ms since 1970, or None), ``refused`` (features that change what files say), and
    ``files``: each with ``path`` below the folder, ``bytes``, ``rows`` (None where nobody says) and ``parts``.
    """
    import deltalake

    table = deltalake.DeltaTable(folder)
    protocol = table.protocol()
    features = set(protocol.reader_features or []) - _HARMLESS
    mapped = table.metadata().configuration.get("delta.columnMapping.mode", "none") != "none"
    if not mapped:
        features.discard("columnMapping")
    elif protocol.min_reader_version == 2:
        features.add("columnMapping")
    actions: Any = table.get_add_actions(flatten=False)
    columns = {name: actions.column(name).to_pylist() for name in actions.schema.names}
    parts = columns.get("partition") or [{}] * len(columns["path"])
    at = [entry.get("timestamp") for entry in table.history(1)]
    return {
        "version": table.version(),
        "at": at[0] if at else None,
        "refused": sorted(features),
        "files": [
            {"path": unquote(path), "bytes": size, "rows": rows, "parts": _texts(said)}
            for path, size, rows, said in zip(
                columns["path"], columns["size_bytes"], columns["num_records"], parts, strict=True
            )
        ],
    }


def _texts(said: dict[str, Any] | None) -> dict[str, str | None]:
    return {name: None if value is None else str(value) for name, value in (said or {}).items()}


if __name__ == "__main__":
    print(json.dumps(listed(sys.argv[1])), flush=True)
    # Threads of the library may abort the process when the interpreter takes them down ("terminate called without an
    # active exception"): what was asked has been said.
    os._exit(0)
