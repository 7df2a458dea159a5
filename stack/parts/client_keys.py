"""Write what Kafka's clients call their settings, from their own definitions: ``make client-keys``, after an upgrade.

Three sources, each asked in its own way:

- Kafka's configuration classes print their documentation: producer, consumer, admin client, Streams, Connect's worker.
  Older releases are asked too, because files outlive the settings in them. What is not documented is a constant.
- Apicurio's serialisers hold their keys as constants too, which are read from the class files.
- librdkafka, as the Kafka client of this environment brings it, shows its table of properties.

Confluent's serialisers are on no repository that this module reads. Their keys are in a file of their own beside the
one that is written here, with the source that they were taken from.
"""

from __future__ import annotations

import ctypes
import importlib.metadata
import re
import struct
import subprocess
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from jgo.maven import MavenContext

from stack.parts.artifacts import cache_dir, ensure_artifacts, locked
from stack.parts.java import java_command

WRITTEN = Path(__file__).parents[2] / "cluster" / "settings" / "java" / "known_keys.txt"
OLDER_KAFKA = ("3.9.2", "2.8.2", "1.1.1", "0.11.0.3")
APICURIO = {
    "3.1.7": ("schema-resolver", "serde-common", "serde-kafka-common"),
    "2.6.13.Final": ("schema-resolver", "serde-common", "serdes-avro-serde"),
}
_CLIENTS = ("producer.ProducerConfig", "consumer.ConsumerConfig", "admin.AdminClientConfig")
_STREAMS = "org.apache.kafka.streams.StreamsConfig"
_CONNECT = "org.apache.kafka.connect.runtime.distributed.DistributedConfig"
_CONNECT_JARS = ("connect-runtime", "connect-api", "connect-json", "connect-transforms")
# As each release prints a key: a heading of its own, or the first cell of a row.
_PRINTED = re.compile(r'<h4><a id="([^"]+)"|<tr>\n<td>([^<]+)</td>')
_KEY = re.compile(r"[a-z][a-z0-9_-]*(\.[a-z0-9_-]+)+\.?$")
_TIMEOUT_S = 60


def main() -> None:
    """Write the file."""
    with tempfile.TemporaryDirectory() as scratch:
        context = MavenContext(repo_cache=Path(scratch), timeout=_TIMEOUT_S)
        sections = [_kafka(context), _apicurio(context), _librdkafka(Path(scratch))]
    head = "# What clients call their settings. Written by `make client-keys`; do not edit.\n"
    WRITTEN.write_text(head + "".join(_section(*each) for each in sections), encoding="utf-8")


def _section(name: str, sources: Iterable[str], keys: Iterable[str]) -> str:
    said = "".join(f"# {source}\n" for source in sources)
    return f"\n[{name}]\n{said}" + "".join(f"{key}\n" for key in sorted(set(keys)))


def _jar(context: MavenContext, group: str, name: str, version: str) -> Path:
    found: Path = context.project(group, name).at_version(version).artifact("", "jar").resolve()
    return found


def _kafka(context: MavenContext) -> tuple[str, list[str], list[str]]:
    ours = ensure_artifacts(cache_dir()).kafka_jars
    # Older clients are run with these alone, so that they do not meet the classes of the newer one.
    logs = [one.path(cache_dir()) for one in locked() if one.name == "slf4j-api"]
    current = next(one.version for one in locked() if one.name == "kafka-clients")
    sources, keys = [], []
    for version in (current, *OLDER_KAFKA):
        jars = [_jar(context, "org.apache.kafka", name, version) for name in ("kafka-clients", "kafka-streams")]
        keys += [
            text for jar in jars for name, text in _constants(jar) if name.endswith("_CONFIG") and _KEY.match(text)
        ]
        classes = [*(f"org.apache.kafka.clients.{name}" for name in _CLIENTS), _STREAMS]
        if version == current:
            jars += [_jar(context, "org.apache.kafka", name, version) for name in _CONNECT_JARS] + list(ours)
            classes.append(_CONNECT)
        for name in classes:
            printed = printed_keys(name, [*jars, *logs])
            if not printed:
                raise SystemExit(f"{name} of Kafka {version} printed no key")
            keys += printed
        sources.append(f"Kafka {version}: {', '.join(name.rpartition('.')[2] for name in classes)}")
    return "kafka", sources, keys


def printed_keys(name: str, jars: list[Path]) -> list[str]:
    """Return the keys that a configuration class documents when it is run."""
    shown = subprocess.run(java_command(jars, name), capture_output=True, text=True, check=True, timeout=_TIMEOUT_S)
    return [heading or cell for heading, cell in _PRINTED.findall(shown.stdout)]


def _apicurio(context: MavenContext) -> tuple[str, list[str], list[str]]:
    keys = []
    for version, names in APICURIO.items():
        for name in names:
            jar = _jar(context, "io.apicurio", f"apicurio-registry-{name}", version)
            keys += [text for _, text in _constants(jar) if re.fullmatch(r"apicurio\.[\w.-]+", text)]
    return "apicurio", [f"Apicurio Registry's serialisers {version}" for version in APICURIO], keys


def _constants(jar: Path) -> Iterator[tuple[str, str]]:
    with zipfile.ZipFile(jar) as archive:
        for entry in archive.namelist():
            if entry.endswith(".class"):
                yield from constants(archive.read(entry))


def constants(content: bytes) -> Iterator[tuple[str, str]]:
    """Yield the constant strings of a class file: the field's name, and the text.

    As the Java Virtual Machine Specification has it, 4.1 to 4.7.2.
    """
    (count,) = struct.unpack_from(">H", content, 8)
    texts: dict[int, str] = {}
    strings: dict[int, int] = {}
    at, index = 10, 1
    # Sizes of the pool's entries by their tag, without it; text is as long as it says.
    sizes = {3: 4, 4: 4, 5: 8, 6: 8, 7: 2, 8: 2, 9: 4, 10: 4, 11: 4, 12: 4, 15: 3, 16: 2, 17: 4, 18: 4, 19: 2, 20: 2}
    while index < count:
        tag = content[at]
        if tag == 1:
            (length,) = struct.unpack_from(">H", content, at + 1)
            texts[index] = content[at + 3 : at + 3 + length].decode(errors="replace")  # Java's own UTF-8
            at += 3 + length
        else:
            if tag == 8:
                (strings[index],) = struct.unpack_from(">H", content, at + 1)
            at += 1 + sizes[tag]
        index += 2 if tag in {5, 6} else 1  # a long and a double take two places
    (interfaces,) = struct.unpack_from(">H", content, at + 6)
    at += 8 + 2 * interfaces
    (fields,) = struct.unpack_from(">H", content, at)
    at += 2
    for _ in range(fields):
        field, _, attributes = struct.unpack_from(">HHH", content, at + 2)
        at += 8
        for _ in range(attributes):
            name, length = struct.unpack_from(">HI", content, at)
            if texts[name] == "ConstantValue":
                (value,) = struct.unpack_from(">H", content, at + 6)
                if value in strings:
                    yield texts[field], texts[strings[value]]
            at += 6 + length


def _librdkafka(scratch: Path) -> tuple[str, list[str], list[str]]:
    import confluent_kafka

    (path,) = Path(confluent_kafka.__file__).parent.with_name("confluent_kafka.libs").glob("librdkafka*")
    library, c = ctypes.CDLL(str(path)), ctypes.CDLL(None)
    c.fopen.restype, c.fopen.argtypes = ctypes.c_void_p, (ctypes.c_char_p, ctypes.c_char_p)
    c.fclose.argtypes = library.rd_kafka_conf_properties_show.argtypes = (ctypes.c_void_p,)
    table = scratch / "properties.md"
    file = c.fopen(str(table).encode(), b"w")
    library.rd_kafka_conf_properties_show(file)
    c.fclose(file)
    rows = [line.partition("|")[0].strip() for line in table.read_text().splitlines() if "|" in line]
    keys = [row for row in rows if re.fullmatch(r"[a-z][a-z0-9._]*", row)]
    source = f"librdkafka {confluent_kafka.libversion()[0]} of confluent-kafka "
    return "librdkafka", [source + importlib.metadata.version("confluent-kafka")], keys


if __name__ == "__main__":
    main()
