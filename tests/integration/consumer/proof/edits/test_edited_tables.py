"""Whatever somebody does to quarantine, ledger and schemas of a warehouse is found, and its place is named."""

from __future__ import annotations

import pytest

from tests.integration.consumer.proof.edits.conftest import Delivered
from tests.integration.consumer.proof.edits.doors import assert_found, tries
from tests.integration.consumer.proof.edits.kinds import OF_TABLES, Edit
from tests.integration.consumer.proof.edits.places import draw

pytestmark = pytest.mark.usefixtures("_kafka_asked_once")


@pytest.mark.parametrize(("edit", "door", "place"), tries(OF_TABLES))
def test_a_hand_edit_is_found_and_its_place_is_named(
    made: Delivered, own: Delivered, edit: Edit, door: str, place: int
) -> None:
    assert_found(own, edit, door, draw(made.warehouse, edit.run, place))
