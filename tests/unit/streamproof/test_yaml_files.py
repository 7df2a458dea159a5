"""YAML that people write: no key counts in silence, and a fault has its line and its cause."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster.errors import Misconfigured
from cluster.text.yaml_files import read_yaml


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: 1\nb: 2\na: 3\n", r"the file has a key twice: a \(lines 1 and 3\) "),
        ("f: {x: 1, x: 2}\n", r"f\.x \(lines 1 and 1\)"),
        ("- a: 1\n  'a': 2\n", r"a \(lines 1 and 2\)"),
        ("f:\n  x: 1\n  x: 2\ng: 1\ng: 2\n", r"f\.x \(lines 2 and 3\); g \(lines 4 and 5\)"),
        ("a: b: c\n", "not YAML at line 1, column 5: mapping values are not allowed here"),
        ("a: [1\n", "not YAML at line 2, column 1: expected ',' or ']'"),
        ("a: 1\nb: \x07\n", "not YAML at line 2: special characters are not allowed"),
        ('a: "\\U0001F600"\nb: "\\ud83d"\n', "not YAML at line 2: an escape is half a character"),
        ("a: 2026-02-30\n", "not YAML: day is out of range"),
        ("[" * 3000, "not YAML: it is nested too deeply"),
        ("a: 1\n---\nb: 2\n", "not YAML at line 2, column 1: but found another document"),
    ],
)
def test_a_fault_is_told_with_its_line(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "some.yaml"
    path.write_text(text)
    with pytest.raises(Misconfigured, match=told) as raised:
        read_yaml(path, "the file")
    assert raised.value.where == str(path)


def test_a_file_without_faults_is_read_as_any_other(tmp_path: Path) -> None:
    path = tmp_path / "some.yaml"
    path.write_text("base: &base {a: 1, b: 2}\nown: {<<: *base, b: 3}\nlist: [{a: 1}, {a: 2}]\n1: x\n'1': y\n")
    read = read_yaml(path, "the file")
    assert (read["own"], read[1], read["1"]) == ({"a": 1, "b": 3}, "x", "y")
    path.write_text("")
    assert read_yaml(path, "the file") is None


def test_what_is_no_readable_text_is_told(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="the profile cannot be read: No such file"):
        read_yaml(tmp_path / "none.yaml", "the profile")
    (tmp_path / "bad.yaml").write_bytes(b"\xff\xfe")
    with pytest.raises(Misconfigured, match="the profile is not UTF-8"):
        read_yaml(tmp_path / "bad.yaml", "the profile")


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="only Unix has /dev/zero")
def test_a_file_without_an_end_is_given_up() -> None:
    with pytest.raises(Misconfigured, match="the profile is larger than 4 MB"):
        read_yaml(Path("/dev/zero"), "the profile")
