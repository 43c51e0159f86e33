"""`serve --demo`: the whole path over real UDP on a database of its own, twice in a row, and what it shows."""

import re
import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from mgmt.demo import settings_of_demo
from radiuscore.settings import Settings
from radiuscore.store.embedded import NoPostgres, find_bindir
from tests.mgmt.conftest import Done

Run = Callable[..., Done]
CHECKS = [
    "ok: the login was accepted",
    "ok: the answer carries the session's id as Class",
    "ok: the open session is stored, to the octet",
    "ok: the closed session is stored, to the octet",
    "ok: the wrong password was rejected",
    "ok: the wrong secret got no answer",
]


@pytest.fixture(autouse=True)
def _needs_programs() -> None:
    try:
        find_bindir()
    except NoPostgres as error:
        pytest.skip(str(error))


def test_the_demo_proves_the_whole_path_twice_in_a_row(
    radiuscore: Run, environ: dict[str, str], data_dir: Path
) -> None:
    # Neither DATABASE_URL nor its keys are looked at: the demo never touches a real database.
    settings = environ | {
        "DATABASE_URL": "postgresql://127.0.0.1:1/real",
        "ENCRYPTION_KEYS": "k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
        "JWT_SECRET_KEY": "0123456789abcdefghijklmnopqrstuv",
    }
    first, again = [radiuscore(settings, "serve", "--demo", "--once") for _ in range(2)]

    for run in (first, again):
        assert run.code == 0, run.out + run.err
        assert re.findall(r"^(?:ok|FAILED): .*$", run.out, re.MULTILINE) == CHECKS
        assert "input_octets = 5100000007" in run.out
        assert "output_octets = 9200000011" in run.out
        assert "answered (bad_credentials):" in run.out
        assert "no answer: bad_message_authenticator" in run.out
        assert "/radius add service=ppp,hotspot" in run.out
    assert first.out.count("Administrator admin@localhost was created") == 1
    assert "Administrator" not in again.out
    passwords = [re.findall(r"radtest anna (\w+)", run.out)[0] for run in (first, again)]
    assert passwords[0] == passwords[1]
    assert sorted(path.name for path in data_dir.iterdir()) == ["demo"]


def test_a_taken_port_that_nobody_chose_is_replaced(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        chosen = Settings.load({"RADIUS_AUTH_PORT": str(port)}, None)
        kept = settings_of_demo(chosen)
        replaced = settings_of_demo(replace(Settings.load({}, None), radius_auth_port=port))

    assert kept.radius_auth_port == port
    assert replaced.radius_auth_port not in (port, replaced.radius_acct_port)
    assert (
        f"RADIUS_AUTH_PORT: {port} is taken, so the demo uses {replaced.radius_auth_port}." in capsys.readouterr().out
    )


@pytest.mark.parametrize(
    ("chosen", "hosts"),
    [
        (None, ["127.0.0.1"]),
        ("0.0.0.0", ["0.0.0.0"]),
        ("::1", ["::1", "127.0.0.1"]),
        ("127.0.0.1,::1", ["127.0.0.1", "::1"]),
    ],
)
def test_the_demo_is_for_this_machine_unless_told_otherwise(chosen: str | None, hosts: list[str]) -> None:
    settings = settings_of_demo(Settings.load({} if chosen is None else {"RADIUS_HOST": chosen}, None))

    assert list(map(str, settings.radius_hosts)) == hosts
    assert settings.database_url is None
    assert settings.data_dir.name == "demo"
