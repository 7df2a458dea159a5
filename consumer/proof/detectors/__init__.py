"""Detectors: one ``.sql`` file for each kind of fault that only the data shows.

A detector knows nothing of what was injected. It selects the identities of the events that it finds wrong, as ``kind``,
``shard`` and ``sequence``; the audit compares them with the truth of the manifests (docs/faults.md). It reads
``run_signals`` (``../inside/detector_fields.py``), which is the same for every scenario, or columns of events that its
header names. The header is that of a check, without a severity. Adding a detector is adding a file.
"""

from __future__ import annotations

from pathlib import Path

from consumer.proof.sql_files import SqlFile, read_folder

DETECTORS = Path(__file__).parent


def load_detectors(folder: Path = DETECTORS) -> list[SqlFile]:
    """Return the detectors of a folder, by name.

    :raises Misconfigured: a header is not complete.
    """
    return read_folder(folder)
