"""Flags of the lake that say what cannot be are refused before Spark or a stack is started."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kit.commands import streamproof


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("lake", "a", "b", "--event-time", "at"), "does not say of which topic"),
        (("lake", "a", "--memory", "1g", "--event-time", "b=at"), "b is not among the topics"),
        (("lake", "a", "--max-records", "0"), "--max-records"),
        (("demo-lake", "--folder", "files", "--format", "orc"), "--format"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    ended = streamproof(*words, "--to", tmp_path / "lake")
    assert ended.exit_code == 78
    assert said in ended.text
    assert not (tmp_path / "lake").exists()
