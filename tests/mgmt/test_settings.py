"""Settings: every default, every override, and for each bad value one sentence that names it."""

import base64
import os
import re
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest

from radiuscore.settings import NAMES, LogFormat, LogLevel, RequestRate, Settings, SettingsError

JWT = "0123456789abcdefghijklmnopqrstuv"
KEY = "k1:" + base64.b64encode(bytes(range(32))).decode()
OUTER = {"JWT_SECRET_KEY": JWT, "ENCRYPTION_KEYS": KEY}


def load(**environ: str) -> Settings:
    return Settings.load(environ, env_file=None)


def test_defaults_are_those_of_the_documentation() -> None:
    settings = load()

    assert settings.embedded
    assert settings.database_url is settings.accounting_database_url is None
    assert settings.jwt_secret_key is settings.encryption_keys is None
    root = os.geteuid() == 0
    assert settings.data_dir == (Path("/var/lib/radiuscore") if root else Path.home() / ".local/share/radiuscore")
    assert settings.radius_hosts == (ip_address("0.0.0.0"), ip_address("::"))
    assert (settings.radius_auth_port, settings.radius_acct_port) == (1812, 1813)
    assert settings.radius_workers == min(len(os.sched_getaffinity(0)), 4)
    assert (settings.api_host, settings.api_port) == (ip_address("127.0.0.1"), 8080)
    assert settings.api_rate_limit == RequestRate(600, 60)
    assert (settings.mikrotik_api_port, settings.mikrotik_ssh_port, settings.mikrotik_timeout) == (8728, 22, 10.0)
    assert settings.outbound_allow is None
    assert (settings.log_level, settings.log_format) == (LogLevel.INFO, None)
    assert settings.given == frozenset()


@pytest.mark.parametrize(
    ("name", "text", "field", "value"),
    [
        ("DATA_DIR", "/srv/radius", "data_dir", Path("/srv/radius")),
        ("DATA_DIR", "data", "data_dir", Path.cwd() / "data"),
        ("RADIUS_HOST", "192.0.2.1, 2001:db8::1", "radius_hosts", (ip_address("192.0.2.1"), ip_address("2001:db8::1"))),
        ("RADIUS_AUTH_PORT", "1645", "radius_auth_port", 1645),
        ("RADIUS_ACCT_PORT", " 1646\n", "radius_acct_port", 1646),
        ("RADIUS_WORKERS", "2", "radius_workers", 2),
        ("API_HOST", "::1", "api_host", ip_address("::1")),
        ("API_PORT", "443", "api_port", 443),
        ("API_RATE_LIMIT", "10/second", "api_rate_limit", RequestRate(10, 1)),
        ("API_RATE_LIMIT", "5 / hour", "api_rate_limit", RequestRate(5, 3600)),
        ("MIKROTIK_API_PORT", "8729", "mikrotik_api_port", 8729),
        ("MIKROTIK_SSH_PORT", "2222", "mikrotik_ssh_port", 2222),
        ("MIKROTIK_TIMEOUT", "2.5", "mikrotik_timeout", 2.5),
        ("OUTBOUND_ALLOW", "10.0.0.0/8,::1", "outbound_allow", (ip_network("10.0.0.0/8"), ip_network("::1"))),
        ("LOG_LEVEL", "DEBUG", "log_level", LogLevel.DEBUG),
        ("LOG_FORMAT", "json", "log_format", LogFormat.JSON),
        ("JWT_SECRET_KEY", JWT, "jwt_secret_key", JWT),
        ("ENCRYPTION_KEYS", KEY, "encryption_keys", KEY),
    ],
)
def test_a_value_overrides_the_default(name: str, text: str, field: str, value: object) -> None:
    settings = load(**{name: text})

    assert getattr(settings, field) == value
    assert settings.given == {name}


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:p@db.example/radius",
        "postgres://db.example",
        "postgresql://u@[2001:db8::1]:5433/radius",
        "postgresql://u:p@db1:5432,db2:5433,db3/radius?target_session_attrs=read-write",
        "postgresql:///radius?host=/run/postgresql",
    ],
)
def test_a_database_url_may_name_several_hosts_or_a_socket(url: str) -> None:
    settings = load(DATABASE_URL=url, **OUTER)

    assert settings.database_url == settings.accounting_database_url == url
    assert not settings.embedded


def test_accounting_may_have_its_own_database() -> None:
    settings = load(DATABASE_URL="postgresql://a/x", ACCOUNTING_DATABASE_URL="postgresql://b/y", **OUTER)

    assert (settings.database_url, settings.accounting_database_url) == ("postgresql://a/x", "postgresql://b/y")


BAD = [
    ("DATABASE_URL", "mysql://u:hunter2@db/x", "does not begin with postgresql://"),
    ("DATABASE_URL", "postgresql+asyncpg://u:hunter2@db/x", "does not begin with postgresql://"),
    ("DATABASE_URL", "postgresql://u:hunter2#@db/x", "'#', which is written %23"),
    ("DATABASE_URL", "postgresql://u:hunter2 @db/x", "space"),
    ("DATABASE_URL", "postgresql://u:hunter2@db:port/x", "host or port"),
    ("DATABASE_URL", "postgresql://u:hunter2@db:0/x", "host or port"),
    ("DATABASE_URL", "postgresql://u:hunter2@[db/x", "host or port"),
    ("ACCOUNTING_DATABASE_URL", "hunter2", "does not begin with postgresql://"),
    ("DATA_DIR", "a\0b", "NUL"),
    ("JWT_SECRET_KEY", "your_jwt_secret", "placeholder"),
    ("JWT_SECRET_KEY", "change-me-please-change-me-please-now", "placeholder"),
    ("JWT_SECRET_KEY", "<a long random value that you make>", "placeholder"),
    ("JWT_SECRET_KEY", "hunter2", "7 octets long, less than 32"),
    ("JWT_SECRET_KEY", "0123456789abcdefghijklmnopqrstu", "31 octets long"),
    ("JWT_SECRET_KEY", "hunter2hunter2hunter2hunter2hunter2"[:2] * 20, "repeats"),
    ("ENCRYPTION_KEYS", "hunter2hunter2hunter2", "not id:base64"),
    ("ENCRYPTION_KEYS", "k1:hunter2!", "not base64"),
    ("ENCRYPTION_KEYS", "k1:" + base64.b64encode(b"hunter2").decode(), "of 7 octets instead of 32"),
    ("ENCRYPTION_KEYS", f"{KEY},{KEY}", "same key id twice"),
    ("ENCRYPTION_KEYS", "k1:" + base64.b64encode(bytes(32)).decode(), "placeholder"),
    ("RADIUS_HOST", "localhost", "not an IPv4 or IPv6 address"),
    ("RADIUS_HOST", "0.0.0.0,0.0.0.0", "address twice"),
    ("RADIUS_AUTH_PORT", "0", "port from 1 to 65535"),
    ("RADIUS_AUTH_PORT", "70000", "port from 1 to 65535"),
    ("RADIUS_AUTH_PORT", "1_812", "port from 1 to 65535"),
    ("RADIUS_AUTH_PORT", "١٨١٢", "port from 1 to 65535"),
    ("RADIUS_AUTH_PORT", "1813", "RADIUS_ACCT_PORT"),
    ("RADIUS_ACCT_PORT", "-1", "port from 1 to 65535"),
    ("RADIUS_WORKERS", "0", "from 1 to 256"),
    ("RADIUS_WORKERS", "many", "from 1 to 256"),
    ("API_HOST", "example.org", "not an IPv4 or IPv6 address"),
    ("API_PORT", "http", "port from 1 to 65535"),
    ("API_RATE_LIMIT", "600", "requests per second, minute or hour"),
    ("API_RATE_LIMIT", "0/minute", "requests per second, minute or hour"),
    ("MIKROTIK_API_PORT", "65536", "port from 1 to 65535"),
    ("MIKROTIK_SSH_PORT", "ssh", "port from 1 to 65535"),
    ("MIKROTIK_TIMEOUT", "nan", "from 0.1 to 300"),
    ("MIKROTIK_TIMEOUT", "0", "from 0.1 to 300"),
    ("OUTBOUND_ALLOW", "10.0.0.1/8", "networks such as 10.0.0.0/8"),
    ("LOG_LEVEL", "loud", "one of debug, info, warning, error"),
    ("LOG_FORMAT", "xml", "one of console, json"),
    *((name, " ", "is empty") for name in NAMES),
]


@pytest.mark.parametrize(("name", "text", "fault"), BAD)
def test_a_bad_value_is_one_sentence_naming_it(name: str, text: str, fault: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(**{name: text})

    sentence = str(caught.value)
    assert name in sentence
    assert fault in sentence
    assert "example" in sentence
    assert sentence.endswith(".")
    assert "\n" not in sentence
    assert "hunter2" not in sentence


@pytest.mark.parametrize("missing", ["JWT_SECRET_KEY", "ENCRYPTION_KEYS"])
def test_keys_must_be_given_with_a_database_of_ones_own(missing: str) -> None:
    given = {name: value for name, value in OUTER.items() if name != missing}

    with pytest.raises(SettingsError, match=rf"^{missing} is not set, and with DATABASE_URL it must be"):
        load(DATABASE_URL="postgresql://db/x", **given)


def test_an_accounting_database_alone_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"^ACCOUNTING_DATABASE_URL is set, but DATABASE_URL is not"):
        load(ACCOUNTING_DATABASE_URL="postgresql://db/x", **OUTER)


def test_every_name_has_a_file_form(tmp_path: Path) -> None:
    port = tmp_path / "port"
    port.write_text("1645\n")

    settings = load(RADIUS_AUTH_PORT_FILE=str(port))

    assert settings.radius_auth_port == 1645
    assert settings.given == {"RADIUS_AUTH_PORT"}


def test_a_bad_value_from_a_file_names_the_file(tmp_path: Path) -> None:
    secret = tmp_path / "jwt"
    secret.write_text("hunter2\n")

    with pytest.raises(SettingsError, match=re.escape(f"JWT_SECRET_KEY (from {secret}) has a value which is 7 octets")):
        load(JWT_SECRET_KEY_FILE=str(secret))


def test_a_secret_in_place_of_its_files_name_is_not_shown() -> None:
    with pytest.raises(SettingsError, match=r"^JWT_SECRET_KEY_FILE names a file, which cannot be read") as caught:
        load(JWT_SECRET_KEY_FILE="/hunter2")

    assert "hunter2" not in str(caught.value)


def test_a_name_and_its_file_together_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"^API_PORT and API_PORT_FILE are both set; keep one"):
        load(API_PORT="1", API_PORT_FILE=str(tmp_path / "port"))


def test_env_file_is_read_and_the_environment_wins(tmp_path: Path) -> None:
    env_file = tmp_path / ".env"
    env_file.write_text(
        "\ufeff# ports\nexport RADIUS_AUTH_PORT = 1645  # old\n\n"
        f'API_PORT=\'9000\' # quoted\nJWT_SECRET_KEY="{JWT}\\"#"\nLOG_LEVEL=debug\nUNRELATED=x\nRADIUS_ACCT_PORT=1646',
        encoding="utf-8",
    )

    settings = Settings.load({"LOG_LEVEL": "error"}, env_file)

    assert (settings.radius_auth_port, settings.radius_acct_port, settings.api_port) == (1645, 1646, 9000)
    assert settings.jwt_secret_key == JWT + '"#'
    assert settings.log_level is LogLevel.ERROR


def test_the_environment_may_replace_a_value_of_the_env_file_by_a_file(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("API_PORT=1\n")
    (tmp_path / "port").write_text("2")

    assert Settings.load({"API_PORT_FILE": str(tmp_path / "port")}, tmp_path / ".env").api_port == 2


def test_a_missing_env_file_is_no_fault(tmp_path: Path) -> None:
    assert Settings.load({}, tmp_path / ".env").api_port == 8080


@pytest.mark.parametrize("line", ["API_PORT", "API PORT=1", "=1", "API_PORT='1", 'API_PORT="1" 2'])
def test_a_malformed_env_line_is_named(tmp_path: Path, line: str) -> None:
    (tmp_path / ".env").write_text(f"# first\n{line}\n")

    with pytest.raises(SettingsError, match=r"\.env line 2 is not a setting; write NAME=value"):
        Settings.load({}, tmp_path / ".env")


def test_an_env_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / ".env").mkdir()
    (tmp_path / "binary").write_bytes(b"\xff\xfe")

    with pytest.raises(SettingsError, match=r"\.env cannot be read \(Is a directory\)"):
        Settings.load({}, tmp_path / ".env")
    with pytest.raises(SettingsError, match=r"binary is not UTF-8 text"):
        Settings.load({}, tmp_path / "binary")


def test_an_empty_value_in_the_env_file_names_the_file(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("API_PORT= # nothing\n")

    with pytest.raises(SettingsError, match=r"^API_PORT in .*\.env is empty; set it for example to API_PORT=8080"):
        Settings.load({}, tmp_path / ".env")


def test_repr_shows_no_secret() -> None:
    settings = load(DATABASE_URL="postgresql://u:hunter2@db/x", **OUTER)

    for secret in ("hunter2", JWT, KEY):
        assert secret not in repr(settings)
