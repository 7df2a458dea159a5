"""Values that a client file leaves to a config provider, such as ``${file:/run/secrets/kafka:password}``.

Kafka's own three are read: a properties file, a folder with a file for each value, the environment. Without
``config.providers`` in the file such text is a value like any other, as it is to Kafka.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from cluster.errors import Misconfigured
from cluster.settings.java.properties_format import parse, trimmed
from cluster.settings.java.quoting import class_name, key_name
from cluster.settings.secret_files import check_private

# As in Kafka's ConfigTransformer: ${provider:path:key}, or ${provider:key}.
_REFERENCE = re.compile(r"\$\{([^}]*?):(?:([^}]*?):)?([^}]*?)\}")
_PACKAGE = "org.apache.kafka.common.config.provider."
_LISTED = "config.providers"


def listed_in(given: Mapping[str, str]) -> list[str]:
    """Return the names of the providers that a file lists."""
    return [name.strip() for name in given.get(_LISTED, "").split(",") if name.strip()]


def class_key(name: str) -> str:
    """Return the key that says which class a provider is."""
    return f"{_LISTED}.{name}.class"


def resolved(given: Mapping[str, str], env: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """Return the values with what providers say in the place of references, and what is wrong with them.

    A fault names the key and the provider, and nothing that was read.
    """
    names = listed_in(given)
    if not names:
        return dict(given), []
    faults: list[str] = []
    readers: dict[str, Callable[[str, str], str | None]] = {}
    for name in names:
        kind = given.get(class_key(name), "")
        if kind.removeprefix(_PACKAGE) in _READERS:
            readers[name] = _READERS[kind.removeprefix(_PACKAGE)](env)
        else:
            faults.append(
                f"{_LISTED}.{key_name(name)}.class: {class_name(kind)} is none of Kafka's own config providers"
            )
    values: dict[str, str] = {}
    for key, value in given.items():
        try:
            # Trimmed once more, as Kafka does: a secret in a file mostly ends with the end of its line.
            values[key] = trimmed(_REFERENCE.sub(lambda found: _value(readers, found), value)) if not faults else value
        except Misconfigured as error:
            faults.append(f"{key}: {error}")
            values[key] = ""
    return values, faults


def _value(readers: Mapping[str, Callable[[str, str], str | None]], found: re.Match[str]) -> str:
    provider, path, key = found[1], found[2] or "", found[3]
    if provider not in readers:
        return found[0]
    value = readers[provider](path, key)
    if value is None:
        raise Misconfigured(f"the config provider {key_name(provider)} has nothing under {key_name(key)}", where=path)
    return value


def _of_file(_env: Mapping[str, str]) -> Callable[[str, str], str | None]:
    def read(path: str, key: str) -> str | None:
        check_private(path, "a config provider")
        return parse(_text(Path(path))).get(key)

    return read


def _of_folder(_env: Mapping[str, str]) -> Callable[[str, str], str | None]:
    def read(path: str, key: str) -> str | None:
        file = Path(path) / Path(key).name
        if not file.is_file():
            return None
        check_private(file, "a config provider")
        return _text(file)

    return read


def _of_environment(env: Mapping[str, str]) -> Callable[[str, str], str | None]:
    return lambda _path, key: env.get(key)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise Misconfigured(
            f"the file of a config provider cannot be read: {error.strerror}", where=str(path)
        ) from None
    except UnicodeDecodeError:
        return path.read_text(encoding="latin-1")


_READERS = {
    "FileConfigProvider": _of_file,
    "DirectoryConfigProvider": _of_folder,
    "EnvVarConfigProvider": _of_environment,
}
