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
from producer.scenarios import Scenario
from producer.scenarios.clickstream import options as clickstream
from producer.scenarios.customer_events import options as customer_events
from producer.scenarios.foreign import ForeignScenario, fault_in, file_of
from producer.scenarios.journey import options as journey
from producer.scenarios.options import Option
from producer.scenarios.shop_events import options as shop_events
from schemas.identity import run_prefix

GROUP = "streamproof.scenarios"
_YAML = (".yaml", ".yml")


def _customer_events() -> Scenario:
    from producer.scenarios.customer_events.scenario import CustomerEvents  # deferred: Faker takes a moment to import

    return CustomerEvents()


def _clickstream() -> Scenario:
    from producer.scenarios.clickstream.scenario import Clickstream

    return Clickstream()


def _journey() -> Scenario:
    from producer.scenarios.journey.scenario import Journey

    return Journey()


def _shop_events() -> Scenario:
    from producer.scenarios.shop_events.scenario import ShopEvents

    return ShopEvents()


SCENARIOS: dict[str, Callable[[], Scenario]] = {
    "clickstream": _clickstream,
    "customer_events": _customer_events,
    "journey": _journey,
    "shop_events": _shop_events,
}
# What they declare, which takes none of their code.
OPTIONS = {
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
        return ()
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
