"""The stack that wants passwords, and its users."""

from __future__ import annotations

import os
import shutil
import threading
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import stack.describe
from cluster.admin import admin_client
from cluster.connection import RegistrySettings
from cluster.declarations import specs_for
from cluster.topics import apply_topics
from schemas.registry.contract import load_contract, subject_for
from schemas.registry.gate import Registry
from stack.certificates import Authority
from stack.down import stop_stack
from stack.record import Security
from stack.request import UpRequest
from stack.security import GUEST, USER, SecuredStack, password_file, secure
from tests.faults.security.secured import PLANTED, Secured, TokenEndpoint, planted_arguments
from tests.kit.shared_stack import started


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> TokenEndpoint:
    """A token endpoint whose tokens the stack's broker takes."""
    return TokenEndpoint(tmp_path_factory.mktemp("tokens"), f"{PLANTED}-client", USER)


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory, tokens: TokenEndpoint) -> Iterator[Secured]:
    """A stack that wants passwords, of which every one is planted; it takes the tokens of ``tokens`` too."""
    state = tmp_path_factory.mktemp("secured")

    def with_tokens(folder: Path, security: Security) -> SecuredStack:
        made = secure(folder, security)
        mechanisms = {"sasl.enabled.mechanisms": made.broker["sasl.enabled.mechanisms"] + ",OAUTHBEARER"}
        return replace(made, broker=made.broker | mechanisms | tokens.broker)

    (state / "security").mkdir()
    for user in (USER, GUEST):
        path = password_file(state / "security", user)
        path.touch(mode=0o600)
        path.write_text(f"{PLANTED}-{user}")
    seen: list[str] = []
    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(0.1):
            seen.extend(planted_arguments())

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(stack.describe, "secure", with_tokens)
            patch.setenv("JAVA_TOOL_OPTIONS", tokens.java_options)
            local = started(state, UpRequest(security="scram", owner=os.getpid()))
        stop.set()
        watcher.join(5)
        made = Secured(local, Authority(), tmp_path_factory.mktemp("elsewhere"), seen_in_arguments=seen)
        yield made
        # Whatever the tests did, and in whichever order.
        assert made.leaks() == []
    finally:
        stop.set()
        stop_stack(state)
        shutil.rmtree(state, ignore_errors=True)


@pytest.fixture
def guest(secured: Secured) -> dict[str, str]:
    """The environment of a command whose login is the guest's."""
    return {"STREAMPROOF_SASL_USERNAME": GUEST, "STREAMPROOF_SASL_PASSWORD": f"{secured.planted}-{GUEST}"}


@pytest.fixture(scope="module")
def topic(secured: Secured) -> str:
    """A topic that is there, with its schema. Tests of a module share it, and what they sent."""
    return made_topic(secured)


@pytest.fixture
def own_topic(secured: Secured) -> str:
    """Another one, that nobody else sends to."""
    return made_topic(secured)


def made_topic(secured: Secured) -> str:
    """Make a topic with its schema, and return its name."""
    name = f"secured-{uuid.uuid4().hex[:8]}"
    apply_topics(admin_client(secured.client()), specs_for(name))
    told = secured.local.endpoints["registry"]
    with Registry(RegistrySettings.model_validate({"url": told.address, **told.settings})) as registry:
        registry.register(subject_for(name), load_contract("customer_events").version(1).text)
    return name
