"""Whatever a file says, it becomes settings or is refused in words, and no value of it is shown."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.connection import Connection
from cluster.errors import Misconfigured
from cluster.settings.java import client_file
from cluster.settings.java.client_file import read_client_file
from cluster.settings.java.known_keys import known_keys
from tests.kit.depth import examples

PLAIN = "org.apache.kafka.common.security.plain.PlainLoginModule required"
OAUTH = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required"
SECRET = "hunter2"
KEYS = st.one_of(
    st.sampled_from(sorted(client_file._UNDERSTOOD)),
    st.sampled_from(sorted(known_keys())),
    st.sampled_from(["request.header.Authorization", "config.providers.f.class", "SASL_JAAS_CONFIG", "my.own.key"]),
    st.text("abc.\\=: \t#\u00e9", max_size=8),
)
VALUES = st.one_of(
    st.sampled_from(
        [
            *("", "x", "-1", "99999999999999999999", "true", "PLAIN", "SASL_SSL", "AWS_MSK_IAM", "USER_INFO", "f"),
            *(
                "http://h",
                "https://[::1",
                f"https://u:{SECRET}@[h",
                f"https://u%zz:{SECRET}@h:a",
                "a:1,b:2",
                "{{ KEY }}",
            ),
            *(
                f"{PLAIN} username=u password='{SECRET}';",
                f'{PLAIN} password="{SECRET}',
                f"{OAUTH} scope={SECRET} a=b;",
            ),
            *(f"Basic {SECRET}", f"Bearer {SECRET}", "Basic 4pyT", "${f:/nowhere:a}", "SASL_INHERIT", "URL"),
            "-----BEGIN CERTIFICATE----- AA -----END CERTIFICATE-----",
            f"-----BEGIN PRIVATE KEY----- {SECRET} -----END PRIVATE KEY-----",
            "org.apache.kafka.common.config.provider.FileConfigProvider",
        ]
    ),
    st.text(max_size=12),
)
LINES = st.lists(st.tuples(KEYS, st.sampled_from(["=", " = ", ":", " "]), VALUES).map("".join), min_size=1, max_size=6)


@settings(max_examples=examples(150), deadline=None)
@given(lines=LINES, uses=st.sampled_from([(), ("kafka",), ("registry",), ("kafka", "registry")]))
def test_a_file_is_taken_or_refused_in_words(tmp_path_factory, lines, uses):
    folder = tmp_path_factory.getbasetemp()
    path = folder / "any.properties"
    path.touch(mode=0o600)
    path.write_bytes("\n".join(lines).encode("utf-8", "surrogatepass"))
    told = ""
    try:
        found = read_client_file(path, folder / "any", uses=uses, env={})
        told = str(dict(found.refused)) + repr(found)
        Connection.discover(given=found.settings, env={"STREAMPROOF_STATE_DIR": str(folder / "none")})
    except Misconfigured as error:
        told += str(error)
    assert "Input should" not in told
    if not any("location" in line for line in lines):  # the path of a file is shown
        assert SECRET not in told
