"""The flags of `up` for what a stack may have: one for each component, and one for each port."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

import typer

from stack.services.component import Component, components

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Components:
    """The components that were asked for, and the ports by the names of their components."""

    components: frozenset[str]
    ports: Mapping[str, int]


def takes_components(command: Callable[..., Result]) -> Callable[..., Result]:
    """Give a command the flags of all components in the place of its parameter ``asked``."""
    known = components()

    @functools.wraps(command)
    def told(**values: Any) -> Result:
        chosen = frozenset(each.name for each in known if values.pop(_variable(each), False))
        ports = {each.name: values.pop(f"{_variable(each)}_port") for each in known}
        asked = Components(chosen, {name: port for name, port in ports.items() if port is not None})
        return command(asked=asked, **values)

    signature = inspect.signature(command, eval_str=True)
    others = [parameter for parameter in signature.parameters.values() if parameter.name != "asked"]
    told.__signature__ = signature.replace(  # type: ignore[attr-defined]  # inspect looks for it
        parameters=[*_switches(known), *_ports(known), *others]
    )
    return told


def _switches(known: tuple[Component, ...]) -> Iterator[inspect.Parameter]:
    for each in known:
        if not each.always:
            flag = typer.Option(f"--{each.name}", help=f"Start {each.title} too, or add it to what runs.")
            yield _parameter(_variable(each), Annotated[bool, flag], default=False)


def _ports(known: tuple[Component, ...]) -> Iterator[inspect.Parameter]:
    for each in known:
        shown = f"Port on 127.0.0.1 for {each.title}; without it last time's, or a free one."
        flag = typer.Option(f"--{each.name}-port", metavar="PORT", min=1, max=65535, help=shown)
        yield _parameter(f"{_variable(each)}_port", Annotated[int | None, flag], default=None)


def _parameter(name: str, annotation: Any, *, default: bool | None) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _variable(component: Component) -> str:
    return component.name.replace("-", "_")
