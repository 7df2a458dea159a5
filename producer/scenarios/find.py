"""Where scenarios are found: in this package, behind entry points, in folders, and in files."""

from __future__ import annotations

import difflib
import importlib.util
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from cluster.connection import RegistrySettings
from cluster.errors import Misconfigured
from cluster.text.yaml_files import read_yaml
from producer.scenarios import Scenario
from producer.scenarios.clickstream import options as clickstream
from producer.scenarios.customer_events import options as customer_events
from producer.scenarios.foreign import ForeignScenario, fault_in, file_of
from producer.scenarios.journey import options as journey
from producer.scenarios.options import Option
from producer.scenarios.replay import options as replay
from producer.scenarios.shop_events import options as shop_events
from schemas.identity import run_prefix

GROUP = "streamproof.scenarios"
_YAML = (".yaml", ".yml")
# What a file says that replays files; one that says nothing else declares how values arise.
REPLAY = "replay"


def _customer_events() -> Scenario:
    from producer.scenarios.customer_events.scenario import CustomerEvents  # deferred: Faker takes a moment to import

    return CustomerEvents()


def _clickstream() -> Scenario:
    from producer.scenarios.clickstream.scenario import Clickstream

    return Clickstream()


def _journey() -> Scenario:
    from producer.scenarios.journey.scenario import Journey

    return Journey()


def _click_stream() -> Scenario:
    from producer.scenarios.replay.feeds import clicks

    return clicks()


def _click_stream_metadata() -> Scenario:
    from producer.scenarios.replay.feeds import articles

    return articles()


def _shop_events() -> Scenario:
    from producer.scenarios.shop_events.scenario import ShopEvents

    return ShopEvents()


SCENARIOS: dict[str, Callable[[], Scenario]] = {
    "click_stream": _click_stream,
    "click_stream_metadata": _click_stream_metadata,
    "clickstream": _clickstream,
    "customer_events": _customer_events,
    "journey": _journey,
    "shop_events": _shop_events,
}
# Those whose events are the rows of files.
REPLAYED = frozenset({"click_stream", "click_stream_metadata"})
# What they declare, which takes none of their code.
OPTIONS = {
    "click_stream": replay.CLICKS,
    "click_stream_metadata": replay.ARTICLES,
    "clickstream": clickstream.OPTIONS,
    "customer_events": customer_events.OPTIONS,
    "journey": journey.OPTIONS,
    "shop_events": shop_events.OPTIONS,
}


def locate(reference: str, folders: Sequence[Path] = ()) -> str:
    """Return what :func:`find` takes in any process: a name, or the absolute path of a file.

    A file is what has a slash or a suffix. A name is looked for in this package, behind entry points, and in the
    folders, as ``<name>.yaml``, ``<name>.yml`` or ``<name>.py``, in this order.

    :raises Misconfigured: there is no such scenario; the nearest known is named.
    """
    if _is_file(reference):
        path = Path(reference)
        if not path.is_file():
            raise Misconfigured(f"there is no scenario file {reference}", hint="Give the path of a .yaml or .py file")
        return str(path.resolve())
    if reference in SCENARIOS or any(entry.name == reference for entry in entry_points(group=GROUP)):
        return reference
    for folder in folders:
        for suffix in (*_YAML, ".py"):
            path = folder / f"{reference}{suffix}"
            if path.is_file():
                return str(path.resolve())
    raise _unknown(reference, folders)


def known_scenarios(folders: Iterable[Path] = ()) -> list[str]:
    """Return the names that :func:`locate` finds."""
    found = {*SCENARIOS, *(entry.name for entry in entry_points(group=GROUP))}
    for folder in folders:
        found |= {
            path.stem for path in folder.glob("*") if path.suffix in (*_YAML, ".py") and not path.name.startswith("_")
        }
    return sorted(found)


def scenario_folders(text: str | None) -> list[Path]:
    """Return the folders of ``--scenario-path``, which are separated as in ``PATH``.

    :raises Misconfigured: one of them is not a folder.
    """
    folders = [Path(part) for part in (text or "").split(os.pathsep) if part]
    missing = [str(folder) for folder in folders if not folder.is_dir()]
    if missing:
        raise Misconfigured(f"no such folder: {', '.join(missing)}", hint="Correct --scenario-path")
    return folders


def find(reference: str, *, registry: RegistrySettings | None = None) -> Scenario:
    """Return the scenario that a name or a file stands for.

    :param registry: where the schema is asked for when a YAML file names a subject.
    :raises Misconfigured: there is none, or it does not follow the interface; every fault is named at once.
    """
    if _is_file(reference):
        path = Path(reference)
        if path.suffix in _YAML:
            if _kind_of_file(path) == REPLAY:
                from producer.scenarios.replay.document import replay_scenario

                return replay_scenario(path, registry=registry)
            from producer.scenarios.declared import declared_scenario

            return declared_scenario(path, registry=registry)
        return _checked(_in_module(_load(path), path), str(path))
    if reference in SCENARIOS:
        return SCENARIOS[reference]()
    for entry in entry_points(group=GROUP, name=reference):
        try:
            declared = entry.load()
        except Exception as error:  # whatever importing an installed package raises
            raise fault_in(error, entry.value, f"loading the entry point {entry.value}") from error
        return _checked(declared, f"entry point {entry.value}")
    raise _unknown(reference)


def options_known(reference: str) -> tuple[Option, ...] | None:
    """Return the options that a scenario declares, or ``None`` where only its code says; no code is run."""
    if Path(reference).suffix in _YAML:
        return replay.OF_A_FILE if _kind_of_file(Path(reference)) == REPLAY else ()
    return OPTIONS.get(reference)


def options_of(reference: str) -> Sequence[Option]:
    """Return the options that a scenario declares, for which its code is loaded if need be.

    :raises Misconfigured: there is no such scenario, or its code fails.
    """
    known = options_known(reference)
    if known is not None:
        return known
    path = Path(reference)
    return _options_of_code(reference, path.stat().st_mtime_ns if path.is_file() else 0)


def ends_by_itself(reference: str) -> bool:
    """Tell whether a run of a scenario ends by itself: it replays files, which end."""
    if Path(reference).suffix in _YAML:
        return _kind_of_file(Path(reference)) == REPLAY
    return reference in REPLAYED


def _kind_of_file(path: Path) -> str | None:
    """Return the ``kind`` that a file says; a file that cannot be read says none, and whoever reads it tells why."""
    try:
        return _kind_said(path, path.stat().st_mtime_ns)
    except (OSError, Misconfigured):
        return None


@lru_cache(maxsize=32)
def _kind_said(path: Path, _changed_ns: int) -> str | None:
    document = read_yaml(path, "the scenario file")
    kind = document.get("kind") if isinstance(document, dict) else None
    return kind if isinstance(kind, str) else None


@lru_cache(maxsize=8)
def _options_of_code(reference: str, _changed_ns: int) -> Sequence[Option]:
    return find(reference).options


def _is_file(reference: str) -> bool:
    return Path(reference).suffix in (*_YAML, ".py") or os.sep in reference


def _load(path: Path) -> ModuleType:
    # A folder of scenarios is not a package: each module has a name of its own.
    name = f"streamproof_scenario_{path.stem}_{run_prefix(str(path.resolve()))}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise Misconfigured("the file is not a Python module", where=str(path), hint="Give a .yaml or .py file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # whatever a module of somebody else raises
        del sys.modules[name]
        raise fault_in(error, str(path), "loading") from error
    return module


def _in_module(module: ModuleType, path: Path) -> Any:
    if not hasattr(module, "SCENARIO"):
        raise Misconfigured("the module has no SCENARIO", where=str(path), hint="See docs/scenarios.md")
    return module.SCENARIO


def _checked(declared: Any, where: str) -> Scenario:
    """Return a scenario of somebody else: an instance, or a class to make one of."""
    file = file_of(declared)
    try:
        made = declared() if isinstance(declared, type) else declared
    except Exception as error:  # whatever its constructor raises
        raise fault_in(error, file, "its constructor") from error
    return ForeignScenario(made, file, where)


def _unknown(name: str, folders: Iterable[Path] = ()) -> Misconfigured:
    known = known_scenarios(folders)
    near = difflib.get_close_matches(name, known, n=1)
    return Misconfigured(
        f"unknown scenario {name!r}", hint=f"Did you mean {near[0]}?" if near else f"Known: {', '.join(known)}"
    )
