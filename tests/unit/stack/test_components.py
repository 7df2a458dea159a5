"""Which components there are, in which order, and what is started with which."""

from pathlib import Path

import pytest

import stack.services
from stack.services.component import components, wanted

ADDED = """
from stack.services.component import Component, Described
COMPONENT = Component({name!r}, {name!r}, lambda site: Described(()), needs={needs!r})
"""


@pytest.fixture
def added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two more components: one needs the other, which sorts behind it."""
    for name, needs in (("added_a", ("added_b",)), ("added_b", ())):
        (tmp_path / f"{name}.py").write_text(ADDED.format(name=name, needs=needs))
    monkeypatch.setattr(stack.services, "__path__", [*stack.services.__path__, str(tmp_path)])


def names(*asked: str) -> list[str]:
    return [component.name for component in wanted(asked)]


def test_every_stack_has_kafka_and_the_registry_alone() -> None:
    assert names() == ["kafka", "registry"]
    assert [component.name for component in components()] == ["kafka", "registry", "postgres", "airflow"]
    assert names("airflow") == ["kafka", "registry", "airflow"]
    assert names("postgres") == ["kafka", "registry", "postgres"]


@pytest.mark.usefixtures("added")
def test_what_a_component_needs_is_started_with_it_and_described_before() -> None:
    found = names("added_a")
    assert set(found) == {"kafka", "registry", "added_a", "added_b"}
    assert found.index("added_b") < found.index("added_a")
