"""Resolve ``jgo.toml`` into ``jgo.lock.toml``, after a change: ``python -m stack.parts.lock [FOLDER] [--alone]``.

Only this module resolves anything; whoever starts something fetches exactly what a lock names.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from jgo.env import EnvironmentBuilder, EnvironmentSpec, LockFile
from jgo.env._lockfile import compute_spec_hash
from jgo.maven import Dependency, MavenContext

from stack.parts.artifacts import LOCK_FILE, SPEC_FILE

ARCHIVE_SUFFIX = ":tar.gz"


def main(folder: Path, *, alone: bool = False) -> None:
    """Write the lock of a folder's specification.

    :param alone: lock what it names, and nothing that this depends on.
    """
    specification = folder / SPEC_FILE.name
    spec = EnvironmentSpec.load(specification)
    with tempfile.TemporaryDirectory() as scratch:
        context = MavenContext(repo_cache=Path(scratch), timeout=60)
        # jgo's coordinate syntax does not know the packaging tar.gz; its artifacts do.
        archives = [_archive(context, text) for text in spec.coordinates if text.endswith(ARCHIVE_SUFFIX)]
        spec.coordinates = [text for text in spec.coordinates if not text.endswith(ARCHIVE_SUFFIX)]
        jars = EnvironmentBuilder(context, cache_dir=Path(scratch) / "envs").spec_to_dependencies(spec)
        direct, transitive = context.resolver.resolve(jars)
        run_time = [one for one in transitive if one.scope in {"compile", "runtime"} and not alone]
        lock = LockFile.from_resolved_dependencies(
            [*direct, *run_time, *archives], environment_name=spec.name, spec_hash=compute_spec_hash(specification)
        )
        lock.save(folder / LOCK_FILE.name)


def _archive(context: MavenContext, coordinate: str) -> Dependency:
    group, name, version, classifier, packaging = coordinate.split(":")
    return Dependency(context.project(group, name).at_version(version).artifact(classifier, packaging))


if __name__ == "__main__":
    told = [argument for argument in sys.argv[1:] if argument != "--alone"]
    main(Path(told[0]) if told else SPEC_FILE.parent, alone="--alone" in sys.argv)
