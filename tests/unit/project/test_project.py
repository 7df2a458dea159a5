"""The repository keeps its own promises: the lock, the documentation, the two commands."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kit import ROOT

PACKAGES = ("cluster", "schemas", "producer", "consumer", "stack", "plugins", "streamproof")


def tracked(pattern: str = "") -> list[Path]:
    """Return the files that git tracks, those with ``pattern`` as suffix."""
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True).stdout
    return [ROOT / name for name in listing.split("\0") if name.endswith(pattern) and name and (ROOT / name).is_file()]


def pins(name: str) -> dict[str, str]:
    """Return the pins of a requirements file as ``{package: version}``."""
    lines = (ROOT / name).read_text().splitlines()
    found = (re.match(r"([A-Za-z0-9_.-]+)(?:\[[^]]*\])?==([^\s;]+)", line) for line in lines)
    return {match[1].lower().replace("_", "-").replace(".", "-"): match[2] for match in found if match}


@pytest.mark.parametrize("name", ["requirements", "requirements-dev"])
def test_every_direct_dependency_is_pinned_and_in_the_lock(name):
    direct = pins(f"{name}.in")
    listed = [
        line for line in (ROOT / f"{name}.in").read_text().splitlines() if line and not line.startswith(("#", "-c"))
    ]
    assert len(direct) == len(listed), "a direct dependency has no exact pin"
    locked = pins(f"{name}.txt")
    assert {package: locked.get(package) for package in direct} == direct


@pytest.mark.parametrize("name", ["requirements", "requirements-dev"])
def test_every_locked_package_has_a_hash(name):
    text = (ROOT / f"{name}.txt").read_text()
    blocks = re.split(r"\n(?=[a-z0-9])", text)
    assert all("--hash=sha256:" in block for block in blocks if "==" in block)


def test_the_two_locks_agree_on_every_package_that_both_hold():
    product, development = pins("requirements.txt"), pins("requirements-dev.txt")
    assert {name: development[name] for name in product.keys() & development.keys()} == {
        name: product[name] for name in product.keys() & development.keys()
    }


def test_the_command_reference_is_what_the_commands_say():
    made = subprocess.run(
        [sys.executable, "-m", "typer", "streamproof.cli", "utils", "docs", "--name", "streamproof"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    ).stdout
    assert (ROOT / "docs" / "commands.md").read_text().strip() == made.strip(), "run `make docs`"


def test_every_page_of_the_guide_is_linked_from_its_index():
    index = (ROOT / "docs" / "README.md").read_text()
    pages = [page.relative_to(ROOT / "docs").as_posix() for page in tracked(".md") if page.parent == ROOT / "docs"]
    assert [page for page in pages if page != "README.md" and f"({page})" not in index] == []


def test_every_relative_link_in_the_documentation_leads_somewhere():
    links = [(page, target) for page in tracked(".md") for target in re.findall(r"\]\(([^)#\s]+)", page.read_text())]
    broken = [
        f"{page.relative_to(ROOT)}: {target}"
        for page, target in links
        if not target.startswith(("http://", "https://", "mailto:")) and not (page.parent / target).exists()
    ]
    assert broken == []


def test_every_file_that_a_text_names_is_there():
    named = re.compile(rf"`((?:{'|'.join(PACKAGES)}|tests|docs|bench)/[\w./-]+)`")
    texts = [path for path in (*tracked(".md"), *tracked(".py")) if path.name != "CHANGELOG.md"]
    gone = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in texts
        for name in named.findall(path.read_text())
        if not (ROOT / name).exists()
    ]
    assert gone == []


def test_every_public_module_function_and_class_says_what_it_is():
    silent = []
    for path in tracked(".py"):
        if path.relative_to(ROOT).parts[0] not in PACKAGES:
            continue
        tree = ast.parse(path.read_text())
        nodes = [tree, *(n for n in tree.body if isinstance(n, ast.FunctionDef | ast.ClassDef))]
        silent += [
            f"{path.relative_to(ROOT)}:{getattr(node, 'name', 'module')}"
            for node in nodes
            if not getattr(node, "name", "").startswith("_") and not ast.get_docstring(node)
        ]
    assert silent == []


def test_readme_shows_the_two_commands():
    readme = (ROOT / "README.md").read_text()
    assert "make demo" in readme
    assert "make test" in readme
    run = (ROOT / ".ci" / "run").read_text()
    assert run.count("make test ") == run.count("make test-lake ") == 1
