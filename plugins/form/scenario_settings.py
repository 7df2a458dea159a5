"""The settings of a rehearsal of one scenario: those of every run, and the options that the scenario declares."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ValidationError,
    create_model,
)

from cluster.errors import Misconfigured
from cluster.text.invalid import fault_text
from plugins.form.form_texts import options_text
from plugins.form.settings import ANY_OPTION, OWN_TIMES, SCENARIO, Rehearsal, folded


def option_fields(scenario: str) -> dict[str, Any]:
    """Return the fields of a scenario's options, for a model; where only its code says what they are, one for all.

    :param scenario: its name, or the path of its file, which is not opened.
    """
    from producer.scenarios.find import options_known

    declared = options_known(scenario)
    if declared is None:
        return {ANY_OPTION: (Annotated[str | None, BeforeValidator(options_text)], _any_option())}
    return {
        option.name: option.field(
            json_schema_extra={"section": SCENARIO} | ({OWN_TIMES: True} if option.own_times else {})
        )
        for option in declared
    }


def _any_option() -> Any:
    return folded(
        SCENARIO,
        default=None,
        title="Options",
        description="Those that the scenario declares, as the flag -o takes them: depth=3 mode=fast",
    )


@lru_cache(maxsize=64)
def rehearsal_for(scenario: str) -> type[Rehearsal]:
    """Return the settings of a rehearsal of one scenario: those of every run, and the options that it declares.

    :param scenario: its name, or the path of its file, which is not opened.
    """
    return create_model("Rehearsal", __base__=Rehearsal, __module__=__name__, **option_fields(scenario))


def rehearsal_of(params: Mapping[str, Any], scenario: str) -> Rehearsal:
    """Return what a form, or the REST API, was filled in with.

    :raises Misconfigured: every fault at once.
    """
    model = rehearsal_for(scenario)
    try:
        return model.model_validate(dict(params))
    except ValidationError as error:
        faults = "; ".join(fault_in_words(fault, model, scenario) for fault in error.errors())
        raise Misconfigured(f"the settings of the run are not valid: {faults}") from None


def fault_in_words(fault: Any, model: type[BaseModel], scenario: str) -> str:
    """Return one of pydantic's errors in words; for a key like no other, that the scenario takes no such option."""
    told = fault_text(fault, model.model_fields)
    name = Path(scenario).stem
    unlike = fault["type"] == "extra_forbidden" and "did you mean" not in told
    return f"{told}: scenario {name} takes no option {fault['loc'][-1]}" if unlike else told
