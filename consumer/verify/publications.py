"""The proof of what a file keeps of its publications; the folders are proved by themselves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from consumer.publish.files import PublishedFile, fault_of
from consumer.publish.paths import snapshot_name
from consumer.sinks.duckdb.warehouse import Warehouse
from consumer.verify.manifests import read_manifests
from consumer.verify.newest import unordered
from consumer.verify.proof import Proof

_PUBLICATIONS = """
    SELECT number, run_id, path, rows, CAST(epoch_us(published_at) AS BIGINT) FROM publications ORDER BY number
"""
# Files of publications that are not there, and publications whose rows their files do not give. Those of earlier
# formats have no files.
_FILES = """
    SELECT format('published_files: publication {} is not there', publication)
    FROM published_files ANTI JOIN publications ON publication = number
    UNION ALL
    SELECT format('publication {} has {} rows, its files have {}', number, any_value(publications.rows),
                  sum(files.rows))
    FROM publications JOIN published_files AS files ON publication = number
    GROUP BY number HAVING any_value(publications.rows) <> sum(files.rows)
    UNION ALL
    SELECT format('published_files: {} of run {} is described in several ways', file, run_id)
    FROM published_files GROUP BY publication, run_id, file HAVING count(*) > 1
    UNION ALL
    SELECT format('published_files: {} is not of run {}', file, files.run_id)
    FROM published_files AS files JOIN publications ON publication = number
    WHERE publications.run_id = files.run_id
      AND NOT ends_with(path, '-' || regexp_replace(file, '[.]parquet$', ''))
    ORDER BY 1
"""
_DESCRIBED = """
    SELECT number, path, file, files.run_id, sha256, files.rows
    FROM published_files AS files JOIN publications ON publication = number ORDER BY number, file
"""


def prove_publications(warehouse: Warehouse) -> Proof:
    """Prove that what is kept of the publications agrees with itself; the folders are proved by themselves."""
    rows = warehouse.rows(_PUBLICATIONS)
    runs = {run_id for run_id, _ in read_manifests(warehouse)}
    faults = [*_publication_faults(rows, runs), *(fault for (fault,) in warehouse.rows(_FILES))]
    faults += unordered(warehouse, "publications")
    looked = 0
    for number, folder, name, run_id, sha256, count in warehouse.rows(_DESCRIBED):
        path = Path(folder) / "events" / name
        if path.is_file():
            looked += 1
            if fault := fault_of(path, PublishedFile(run_id, name, sha256, count)):
                faults.append(f"publication {number}: {path}: {fault}")
    return Proof.of(
        "publications",
        "each publication is of a known run, under the name of its run and time; its files are what was published",
        f"{len(rows)} publications, {looked} files that are there",
        faults,
    )


def _publication_faults(rows: list[tuple[Any, ...]], runs: set[str]) -> Iterator[str]:
    for number, count in Counter(row[0] for row in rows).items():
        if count > 1:
            yield f"publication {number} is there {count} times"
    for number, run_id, path, _, at_us in rows:
        if run_id not in runs:
            yield f"publication {number} is of run {run_id}, which has no manifest"
        name = snapshot_name(at_us, str(run_id))
        if Path(path).name != name:
            yield f"publication {number} has the path {path}, and its run and time the name {name}"
