"""The fingerprint of a schema changes with what it says, and with nothing else."""

from __future__ import annotations

import json

import pytest

from schemas.fingerprint import fingerprint

MONEY = {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}
PAID = {"type": "record", "name": "Paid", "fields": [{"name": "total", "type": MONEY, "default": "\u0001"}]}


def paid(**changes):
    return json.dumps(PAID | {"fields": [PAID["fields"][0] | changes]})


@pytest.mark.parametrize(
    "text", [json.dumps(PAID, indent=4), json.dumps(dict(reversed(PAID.items()))), json.dumps(PAID, ensure_ascii=False)]
)
def test_the_order_of_keys_and_white_space_make_no_difference(text):
    assert fingerprint(text) == fingerprint(json.dumps(PAID))


@pytest.mark.parametrize(
    "change",
    [{"type": MONEY | {"scale": 3}}, {"default": "\u0002"}, {"name": "sum"}, {"aliases": ["old"]}, {"doc": "of it"}],
    ids=str,
)
def test_what_changes_the_meaning_changes_it_also_where_avros_canonical_form_is_blind(change):
    assert fingerprint(paid(**change)) != fingerprint(paid())


def test_what_is_not_json_has_none():
    with pytest.raises(ValueError, match="Expecting value"):
        fingerprint("record Paid {}")
