"""The warehouse that is asked before anything is sent: one that somebody named and that does not answer is told."""

from __future__ import annotations

import pytest

from streamproof.flags.columns import table_at_hand


@pytest.fixture
def no_warehouse(tmp_path):
    """A file that is no warehouse."""
    path = tmp_path / "t.duckdb"
    path.write_text("this is text")
    return str(path)


@pytest.mark.parametrize("by_flag", [True, False], ids=["by the flag", "in the environment"])
def test_one_that_was_named_and_cannot_be_asked_is_told(no_warehouse, monkeypatch, capsys, by_flag):
    if not by_flag:
        monkeypatch.setenv("STREAMPROOF_WAREHOUSE", no_warehouse)
    assert table_at_hand(no_warehouse if by_flag else None, "t") is None
    assert "t.duckdb was not asked what it holds: " in capsys.readouterr().err


def test_one_that_nobody_named_stops_nothing(no_warehouse, tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("STREAMPROOF_WAREHOUSE", raising=False)
    monkeypatch.setenv("STREAMPROOF_WAREHOUSE_DIR", str(tmp_path))
    assert table_at_hand(None, "t") is None
    assert capsys.readouterr().err == ""
