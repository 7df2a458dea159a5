"""A login, a token or anything else that may be a secret in an address is never printed."""

from __future__ import annotations

import pytest

from cluster.connection import Connection
from cluster.errors import Misconfigured, RegistryUnreachable
from cluster.settings.hosts import shown_address
from schemas.registry.gate import Registry


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("https://registry:8081/apis/ccompat/v7", "https://registry:8081/apis/ccompat/v7"),
        ("https://registry/apis?token=hush", "https://registry/apis"),
        ("https://registry?token=hush/of/it", "https://registry"),
        ("https://registry/apis#hush", "https://registry/apis"),
        ("https://me:hush@registry/a@b", "https://registry/a@b"),
        ("me:hush@broker:9092", "broker:9092"),
        ("[::1]:9092", "[::1]:9092"),
    ],
)
def test_an_address_is_shown_without_what_may_be_a_secret(address: str, shown: str) -> None:
    assert shown_address(address) == shown


def test_no_error_of_the_registry_prints_a_token_in_its_address() -> None:
    settings = {"url": "http://127.0.0.1:9/apis?token=hush", "timeout_s": 1}
    with Registry(Connection.of({"bootstrap_servers": "127.0.0.1:1"}, settings).registry) as registry:
        with pytest.raises(RegistryUnreachable) as error:
            registry.schema_text(1)
        assert "hush" not in f"{error.value} {error.value.document()} {registry.url}"
    for url in ("http://elsewhere/apis?token=hush", "http://me:hush@127.0.0.1/apis"):
        with pytest.raises(Misconfigured) as refused:
            Connection.of({"bootstrap_servers": "127.0.0.1:1"}, {"url": url})
        assert "hush" not in str(refused.value)
    with pytest.raises(Misconfigured) as refused:
        Connection.of({"bootstrap_servers": "me:hush@elsewhere:9092"}, {"url": "http://127.0.0.1:1"})
    assert "hush" not in str(refused.value)
