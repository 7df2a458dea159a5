"""What the step does that waits for records: answers of ``airflow_answers.py``. Kafka and the warehouse are real."""

from __future__ import annotations

import asyncio
import importlib
import json
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any


def new_records(topic: str, warehouse: str, **settings: Any) -> dict[str, Any]:
    """What becomes of a task: how often it waited in the triggerer, what each wait told, and how it ended.

    The trigger is made again from what Airflow keeps of it, as the triggerer does, and runs to its first event.
    """
    from airflow.sdk.exceptions import AirflowSkipException, TaskDeferred

    from cluster.errors import StreamproofError
    from plugins.new_records import NewRecordsSensor

    # A test renders no template.
    here = {"warehouse_conn_id": ""} | settings

    def made() -> Any:
        return NewRecordsSensor(task_id="wait", topic=topic, run_id="r", warehouse=warehouse, **here)

    context: Any = {"ti": SimpleNamespace(xcom_push=lambda *_: None)}
    told: dict[str, Any] = {"events": [], "returned": None, "skipped": "", "raised": ""}
    step: Callable[[Any], Any] = made().execute
    while True:
        try:
            told["returned"] = step(context)
        except TaskDeferred as put_off:
            path, kept = put_off.trigger.serialize()
            event = asyncio.run(_first_event(_named(path)(**json.loads(json.dumps(kept)))))
            told["events"].append(event)
            # Whoever waited is another process: another operator.
            kwargs = {**(put_off.kwargs or {}), "event": event}
            step = partial(made().resume_execution, put_off.method_name, kwargs)
            continue
        except AirflowSkipException as skipped:
            told["skipped"] = str(skipped)
        except StreamproofError as error:
            told["raised"] = f"{type(error).__name__}: {error}"
        return told


def _named(path: str) -> Any:
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)


async def _first_event(trigger: Any) -> Any:
    async for event in trigger.run():
        return event.payload
    return None
