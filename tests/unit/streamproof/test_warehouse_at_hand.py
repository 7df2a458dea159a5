"""The warehouse that is asked before anything is sent: one that does not answer stops nobody, and one line says so."""

from __future__ import annotations

import pytest

from streamproof.flags.columns import table_at_hand


@pytest.fixture
def no_warehouse(tmp_path):
    """A file that is no warehouse."""
    path = tmp_path / "t.duckdb"
    path.write_text("this is text")
    return str(path)


@pytest.mark.parametrize("named", ["by the flag", "in the environment", "by nobody"])
def test_one_that_cannot_be_asked_is_told_whoever_named_it(no_warehouse, tmp_path, monkeypatch, capsys, named):
    monkeypatch.delenv("STREAMPROOF_WAREHOUSE", raising=False)
    monkeypatch.setenv("STREAMPROOF_WAREHOUSE_DIR", str(tmp_path))
    if named == "in the environment":
        monkeypatch.setenv("STREAMPROOF_WAREHOUSE", no_warehouse)
    assert table_at_hand(no_warehouse if named == "by the flag" else None, "t") is None
    assert "t.duckdb was not asked what it holds: " in " ".join(capsys.readouterr().err.split())


def test_before_a_first_load_there_is_nothing_to_tell(tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("STREAMPROOF_WAREHOUSE", raising=False)
    monkeypatch.setenv("STREAMPROOF_WAREHOUSE_DIR", str(tmp_path))
    assert table_at_hand(None, "t") is None
    assert capsys.readouterr().err == ""
