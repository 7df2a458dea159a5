"""The sessions of DuckDB that read what is stored: they write nowhere, and find nothing that they were not given."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from cluster.local import state_dir
from cluster.machine.scratch import scratch_folder

# With what the proof has, and Python, Arrow and what generates events, about 1 GB.
_MEMORY = "400MB"
_CANNOT = "what is stored cannot be read"


@contextmanager
def reading_session(
    path: Path | None = None, *, reaching: Callable[[duckdb.DuckDBPyConnection], None] | None = None
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a session in memory, or a database file to be read alone.

    What does not fit into memory goes to a folder of ours, and never beside the file. Columns keep their types on the
    way out, as Arrow's extensions.

    :param path: a database file: then no other file can be reached.
    :param reaching: makes the session ready for what lies elsewhere, before its settings are fixed.
    :raises duckdb.Error: the file cannot be opened.
    """
    with scratch_folder(state_dir() / "reading", _CANNOT) as folder:
        config: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": _MEMORY,
            "enable_external_file_cache": "false",  # what was read of a file would stay in memory until the end
            "temp_directory": str(folder),
            "python_enable_replacements": "false",  # a name in a query is a table, and no variable of this program
            "arrow_lossless_conversion": "true",
            "autoinstall_known_extensions": "false",
        }
        connection = duckdb.connect(str(path or ":memory:"), read_only=path is not None, config=config)
        try:
            if reaching is not None:
                reaching(connection)
            connection.execute("SET TimeZone = 'UTC'; SET enable_progress_bar = false")
            if path is not None:
                connection.execute("SET enable_external_access = false")
            connection.execute("SET lock_configuration = true")
            yield connection
        finally:
            connection.close()
