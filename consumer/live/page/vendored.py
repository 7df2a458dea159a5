"""What the page has from others: pinned by hash in ``vendor.toml``, kept as it came, fetched again by ``make vendor``.

npm fetches, so that a mirror or a login of whoever runs it applies; nothing of it is needed to serve the page.
"""

from __future__ import annotations

import base64
import hashlib
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path

from cluster.errors import DependencyDown, Misconfigured, StreamproofError

PAGE = Path(__file__).parent
STATIC = PAGE / "static"
_FETCH_S = 120


@dataclass(frozen=True, slots=True)
class Library:
    """A library of others.

    :ivar integrity: the registry's hash of the whole package, ``sha512-`` and base64.
    :ivar files: sha256 in hexadecimal of each file that is kept, by its path inside the package.
    """

    name: str
    version: str
    licence: str
    integrity: str
    files: dict[str, str]

    @property
    def folder(self) -> Path:
        """Where its files are."""
        return STATIC / f"{self.name}-{self.version}"

    def differing(self) -> list[str]:
        """Return the files that are missing or are not as they came."""
        return [path for path, pinned in self.files.items() if _sha256(self.kept(path)) != pinned]

    def kept(self, path: str) -> Path:
        """Return where a file of the package is kept."""
        return self.folder / Path(path).name


def libraries() -> list[Library]:
    """Return what is pinned."""
    pinned = tomllib.loads((PAGE / "vendor.toml").read_text(encoding="utf-8"))
    return [Library(name, **said) for name, said in pinned.items()]


def fetch(library: Library) -> None:
    """Fetch a library anew; nothing is replaced before all of it is as pinned.

    :raises DependencyDown: npm is not there, or does not get it.
    :raises Misconfigured: what came is not what is pinned.
    """
    with tempfile.TemporaryDirectory(prefix="streamproof-vendor-") as folder:
        archive = _packed(library, Path(folder))
        digest = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
        if library.integrity != f"sha512-{digest}":
            raise _other(library, "the package")
        found = _unpacked(archive, list(library.files))
        for path, pinned in library.files.items():
            if hashlib.sha256(found[path]).hexdigest() != pinned:
                raise _other(library, path)
        library.folder.mkdir(parents=True, exist_ok=True)
        for path, content in found.items():
            library.kept(path).write_bytes(content)


def _packed(library: Library, folder: Path) -> Path:
    wanted = f"{library.name}@{library.version}"
    try:
        subprocess.run(
            ["npm", "pack", wanted, "--pack-destination", str(folder)],
            check=True,
            capture_output=True,
            timeout=_FETCH_S,
        )
        return next(folder.glob("*.tgz"))
    except FileNotFoundError as error:
        raise DependencyDown("npm is not installed", where="PATH", hint="Install Node.js, which brings it") from error
    except (subprocess.SubprocessError, StopIteration) as error:
        raise DependencyDown(
            f"npm did not get {wanted}", where="npm pack", hint=f"Run `npm pack {wanted}` to see why"
        ) from error


def _unpacked(archive: Path, paths: list[str]) -> dict[str, bytes]:
    with tarfile.open(archive) as opened:
        members = {path: opened.extractfile(f"package/{path}") for path in paths}
        return {path: member.read() for path, member in members.items() if member is not None}


def _other(library: Library, what: str) -> Misconfigured:
    return Misconfigured(
        f"{what} of {library.name} {library.version} is not what is pinned",
        where=str(PAGE / "vendor.toml"),
        hint="A version never changes on the registry: find out where this one came from, and keep what is there",
    )


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""


def main() -> int:
    """Fetch everything that is pinned."""
    try:
        for library in libraries():
            fetch(library)
            sys.stdout.write(f"{library.name} {library.version}: {len(library.files)} files in {library.folder}\n")
    except StreamproofError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
