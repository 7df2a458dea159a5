"""Resolve ``jgo.toml`` into ``jgo.lock.toml``: ``python -m stack.parts.lock``, after changing a version.

Only this module resolves anything; starting the stack fetches exactly what the lock names.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from jgo.env import EnvironmentBuilder, EnvironmentSpec, LockFile
from jgo.env._lockfile import compute_spec_hash
from jgo.maven import Dependency, MavenContext

from stack.parts.artifacts import LOCK_FILE, SPEC_FILE

ARCHIVE_SUFFIX = ":tar.gz"


def main() -> None:
    """Write the lock."""
    spec = EnvironmentSpec.load(SPEC_FILE)
    with tempfile.TemporaryDirectory() as folder:
        context = MavenContext(repo_cache=Path(folder), timeout=60)
        # jgo's coordinate syntax does not know the packaging tar.gz; its artifacts do.
        archives = [_archive(context, text) for text in spec.coordinates if text.endswith(ARCHIVE_SUFFIX)]
        spec.coordinates = [text for text in spec.coordinates if not text.endswith(ARCHIVE_SUFFIX)]
        jars = EnvironmentBuilder(context, cache_dir=Path(folder) / "envs").spec_to_dependencies(spec)
        direct, transitive = context.resolver.resolve(jars)
        run_time = [dependency for dependency in transitive if dependency.scope in {"compile", "runtime"}]
        lock = LockFile.from_resolved_dependencies(
            [*direct, *run_time, *archives], environment_name=spec.name, spec_hash=compute_spec_hash(SPEC_FILE)
        )
        lock.save(LOCK_FILE)


def _archive(context: MavenContext, coordinate: str) -> Dependency:
    group, name, version, classifier, packaging = coordinate.split(":")
    return Dependency(context.project(group, name).at_version(version).artifact(classifier, packaging))


if __name__ == "__main__":
    main()
