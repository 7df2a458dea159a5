"""The flag ``-o`` for the options of a scenario, and the flags that scenarios of this package declare for theirs."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Annotated, Any, TypeVar

import typer

from producer.scenarios.find import OPTIONS, SCENARIOS
from producer.scenarios.options import Option

Result = TypeVar("Result")
ScenarioArgument = Annotated[
    str, typer.Argument(help=f"What to generate: {', '.join(sorted(SCENARIOS))}, or a scenario's file.")
]
OptionFlag = Annotated[
    list[str] | None,
    typer.Option(
        "--option",
        "-o",
        metavar="NAME=VALUE",
        help="An option that the scenario declares; may be given again for more.",
    ),
]


def takes_options(command: Callable[..., Result]) -> Callable[..., Result]:
    """Give a command the flags that scenarios declare, behind its parameter ``option``.

    What they are given arrives there, as ``name=value``.
    """
    declared = _declared(OPTIONS)

    @functools.wraps(command)
    def told(**values: Any) -> Result:
        flags = {name: values.pop(name) for name in declared}
        spelled = [f"{name}={value}" for name, value in flags.items() if value is not None and value is not False]
        return command(**values | {"option": [*(values["option"] or ()), *spelled]})

    signature = inspect.signature(command, eval_str=True)
    shown: list[inspect.Parameter] = []
    for parameter in signature.parameters.values():
        shown.append(parameter)
        shown += declared.values() if parameter.name == "option" else ()
    told.__signature__ = signature.replace(parameters=shown)  # type: ignore[attr-defined]  # inspect looks for it
    return told


def _declared(options: Mapping[str, tuple[Option, ...]]) -> dict[str, inspect.Parameter]:
    """Return a parameter for each flag that is declared, by the name of its option. Scenarios may share one."""
    found: dict[str, inspect.Parameter] = {}
    by_name: dict[str, list[tuple[str, Option]]] = {}
    for scenario, declared in sorted(options.items()):
        for option in declared:
            if option.flag is not None:
                by_name.setdefault(option.name, []).append((scenario, option))
    for name, told in by_name.items():
        option, scenarios = told[0][1], ", ".join(scenario for scenario, _ in told)
        shown = f"{option.help.removesuffix('.')} ({scenarios})."
        flag = typer.Option(option.flag, min=option.least, max=option.most, help=shown)
        kind: Any = bool if option.type is bool else option.type | None
        found[name] = inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=False if option.type is bool else None,
            annotation=Annotated[kind, flag],
        )
    return found
