"""What the page has from others is what was pinned."""

from __future__ import annotations

import base64
import hashlib
import shutil
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from cluster.errors import DependencyDown, Misconfigured
from consumer.live.page.vendored import STATIC, fetch, libraries


@pytest.mark.parametrize("library", libraries(), ids=lambda library: library.name)
def test_every_file_of_a_library_is_as_it_came_and_its_licence_is_with_it(library):
    assert library.differing() == []
    assert {path.name for path in library.folder.iterdir()} == {Path(path).name for path in library.files}
    assert f"The {library.licence} License" in library.kept("LICENSE").read_text()


def test_nothing_is_kept_of_others_that_is_not_pinned():
    assert {path for path in STATIC.iterdir() if path.is_dir()} == {library.folder for library in libraries()}


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """The pinned library, with nothing of it fetched yet."""
    monkeypatch.setattr("consumer.live.page.vendored.STATIC", tmp_path / "static")
    (library,) = libraries()
    return library


@pytest.fixture
def packed(elsewhere, tmp_path, monkeypatch):
    """A package with the files of the library, which is all that npm has: a test asks no registry."""
    archive = tmp_path / "packed.tgz"
    with tarfile.open(archive, "w:gz") as opened:
        for path in elsewhere.files:
            opened.add(STATIC / elsewhere.folder.name / Path(path).name, f"package/{path}")
    npm = tmp_path / "bin" / "npm"
    npm.parent.mkdir()
    npm.write_text(f'#!/bin/sh\n/bin/cp "{archive}" "$4/uplot.tgz"\n')
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", str(npm.parent))
    return archive


def test_a_file_that_was_changed_is_told(elsewhere):
    shutil.copytree(STATIC / elsewhere.folder.name, elsewhere.folder)
    assert elsewhere.differing() == []
    with elsewhere.kept("dist/uPlot.min.css").open("a") as file:
        file.write(" ")
    assert elsewhere.differing() == ["dist/uPlot.min.css"]


def test_the_pinned_package_is_fetched_and_unpacked(elsewhere, packed):
    digest = base64.b64encode(hashlib.sha512(packed.read_bytes()).digest()).decode()
    fetch(replace(elsewhere, integrity=f"sha512-{digest}"))
    assert elsewhere.differing() == []


def test_a_package_that_is_not_the_pinned_one_replaces_nothing(elsewhere, packed):
    with pytest.raises(Misconfigured, match="not what is pinned"):
        fetch(elsewhere)
    assert not elsewhere.folder.exists()


def test_without_npm_it_is_said_what_is_missing(elsewhere, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DependencyDown, match="npm is not installed"):
        fetch(elsewhere)
