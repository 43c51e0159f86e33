"""The commands, as processes: what they print, how they end, and each expected fault as one sentence."""

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mgmt.checkconfig import findings
from mgmt.passwords import is_password
from radiuscore.store.pool import connect
from tests.mgmt.conftest import JWT_SECRET_KEY

Run = Callable[..., Any]
Environ = dict[str, str]


def assert_one_sentence(done: Any, pattern: str, code: int = 1) -> None:
    assert done.code == code
    lines = [line for line in done.err.splitlines() if line not in ("Starting PostgreSQL",)]
    assert len(lines) == 1, done.err
    assert re.search(pattern, lines[0]), lines[0]
    assert "Traceback" not in done.err


def test_help_loads_nothing_heavy() -> None:
    heavy = ("asyncpg", "aiohttp", "prometheus_client", "argon2", "radiuscore.server", "radiuscore.store")
    program = f"import mgmt.cli, sys; print([name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_version_and_help(radiuscore: Run, environ: Environ) -> None:
    assert re.fullmatch(r"radiuscore \d+\.\d+\.\d+\S*\n", radiuscore(environ, "--version").out)
    for command in ("serve", "migrate", "create-admin", "create-isp", "check-config", "radtest", "trace"):
        assert command in radiuscore(environ, "--help").out


# -- create-isp, create-admin, migrate -------------------------------------------------------------------------------


async def test_create_isp_prints_json_and_what_to_type_on_its_routers(
    radiuscore: Run, own_database: Environ, database: str
) -> None:
    args = ("--name", "north", "--company-name", "North Wireless", "--email", "noc@north.example", "--plan", "pro")
    done = radiuscore(own_database, "create-isp", *args, "--router", "192.0.2.1", "--server", "192.0.2.10", "--json")

    assert done.code == 0, done.err
    made = json.loads(done.out)
    assert (made["name"], made["company_name"], made["max_devices"]) == ("north", "North Wireless", 20)
    auth, acct = own_database["RADIUS_AUTH_PORT"], own_database["RADIUS_ACCT_PORT"]
    secret = made["radius_secret"]
    assert f'address=192.0.2.10 secret="{secret}" authentication-port={auth} accounting-port={acct}' in made["script"]
    db = await connect(database)
    try:
        device = await db.fetchrow("SELECT isp_id, device_ip FROM control.devices WHERE id = $1", made["device_id"])
        assert device is not None
        assert (device["isp_id"], str(device["device_ip"])) == (made["id"], "192.0.2.1")
    finally:
        await db.close()


def test_create_isp_with_an_email_that_is_taken_is_one_sentence(radiuscore: Run, own_database: Environ) -> None:
    first = radiuscore(own_database, "create-isp", "--name", "north", "--email", "noc@north.example")
    again = radiuscore(own_database, "create-isp", "--name", "south", "--email", "NOC@north.example")

    assert first.code == 0
    assert "/radius add service=ppp,hotspot" in first.out
    assert_one_sentence(again, r"^There is an ISP with the email NOC@north\.example already")


@pytest.mark.parametrize(
    ("args", "fault"),
    [
        (("--name", "n", "--email", "x"), r"^The email must look like"),
        (("--name", "n", "--email", "a@b", "--plan", "gold"), r"^The subscription plan must be one of"),
        (("--name", "n", "--email", "a@b", "--router", "router1"), r"^--router must be an IPv4 or IPv6 address"),
        (("--name", "n", "--email", "a@b", "--router", "0.0.0.0"), r"^--router must be .* of one machine"),
        (("--name", "n", "--email", "a@b", "--router", "ff02::1"), r"^--router must be .* of one machine"),
        (("--name", "n", "--email", "a@b", "--server", "0.0.0"), r"^--server must be an IPv4 or IPv6 address"),
    ],
)
def test_create_isp_says_what_is_wrong(
    radiuscore: Run, own_database: Environ, args: tuple[str, ...], fault: str
) -> None:
    assert_one_sentence(radiuscore(own_database, "create-isp", *args), fault, code=2)


async def test_create_admin_reads_or_generates_a_password(
    radiuscore: Run, own_database: Environ, database: str
) -> None:
    chosen = radiuscore(
        own_database, "create-admin", "--email", "a@example.com", "--password-stdin", stdin="correct horse battery\n"
    )
    generated = radiuscore(own_database, "create-admin", "--email", "b@example.com", "--json")
    weak = radiuscore(own_database, "create-admin", "--email", "c@example.com", "--password-stdin", stdin="admin123\n")

    assert chosen.code == 0
    assert "correct horse battery" not in chosen.out + chosen.err
    made = json.loads(generated.out)
    db = await connect(database)
    try:
        stored = {row["email"]: row["password_hash"] for row in await db.fetch("SELECT * FROM control.users")}
    finally:
        await db.close()
    assert set(stored) == {"a@example.com", "b@example.com"}
    assert await is_password("correct horse battery", stored["a@example.com"])
    assert await is_password(made["password"], stored["b@example.com"])
    assert_one_sentence(weak, r"^The password has fewer than 12 characters", code=2)


def test_migrate_says_what_it_did(
    radiuscore: Run, environ: Environ, empty_database: str, own_database: Environ
) -> None:
    settings = own_database | {"DATABASE_URL": empty_database}

    first, again = radiuscore(settings, "migrate"), radiuscore(settings, "migrate")

    assert (first.code, again.code) == (0, 0)
    assert re.fullmatch(r"Created schema control, .*\nCreated schema accounting, .*\n", first.out)
    assert again.out == "Nothing to do: the database is at this release's schema.\n"


# -- expected faults of serve ----------------------------------------------------------------------------------------


def test_a_bad_setting_ends_with_2(radiuscore: Run, environ: Environ) -> None:
    done = radiuscore(environ | {"RADIUS_WORKERS": "many"}, "serve")

    assert_one_sentence(done, r"^RADIUS_WORKERS is 'many', which is not a number from 1 to 256; set it", code=2)


def test_once_is_for_the_demo(radiuscore: Run, environ: Environ) -> None:
    assert_one_sentence(radiuscore(environ, "serve", "--once"), r"^--once is for --demo", code=2)


def test_a_database_that_is_down_is_one_sentence(radiuscore: Run, own_database: Environ) -> None:
    down = own_database | {"DATABASE_URL": "postgresql://radius:hunter2@127.0.0.1:1/radius"}
    done = radiuscore(down, "serve")

    assert_one_sentence(done, r"^The database cannot be reached \(127\.0\.0\.1:1: .*refused|failed")
    assert "hunter2" not in done.err


@pytest.mark.parametrize("name", ["RADIUS_AUTH_PORT", "RADIUS_ACCT_PORT", "API_PORT"])
def test_a_taken_port_is_one_sentence_that_names_its_setting(radiuscore: Run, own_database: Environ, name: str) -> None:
    kind = socket.SOCK_STREAM if name == "API_PORT" else socket.SOCK_DGRAM
    with socket.socket(socket.AF_INET, kind) as taken:
        taken.bind(("127.0.0.1", int(own_database[name])))
        if kind == socket.SOCK_STREAM:
            taken.listen()
        done = radiuscore(own_database, "serve")

    assert_one_sentence(done, rf":{own_database[name]} is taken.*{name}")


def test_a_data_dir_that_cannot_be_written_is_one_sentence(
    radiuscore: Run, own_database: Environ, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    done = radiuscore(own_database | {"DATA_DIR": str(tmp_path / "file" / "data")}, "serve")

    assert_one_sentence(done, r"^DATA_DIR .*/file/data cannot be written \(Not a directory\)")


def test_no_postgresql_is_one_sentence(radiuscore: Run, environ: Environ, tmp_path: Path) -> None:
    done = radiuscore(environ | {"PG_BINDIR": str(tmp_path)}, "serve")

    assert_one_sentence(done, r"^PG_BINDIR=.* has no postgres")


async def test_keys_that_are_not_the_databases_are_one_sentence(radiuscore: Run, own_database: Environ) -> None:
    assert radiuscore(own_database, "create-admin", "--email", "a@example.com").code == 0
    two, one = (key.split(":")[1] for key in own_database["ENCRYPTION_KEYS"].split(","))
    other = own_database | {"ENCRYPTION_KEYS": f"test2:{one},test1:{two}"}

    assert_one_sentence(radiuscore(other, "serve"), r"^ENCRYPTION_KEYS has a key test2, but not the one")


# -- check-config ----------------------------------------------------------------------------------------------------


def test_check_config_of_an_installation_to_be(radiuscore: Run, environ: Environ, data_dir: Path) -> None:
    done = radiuscore(environ, "check-config")

    assert done.code == 0, done.out + done.err
    assert re.search(r"^ok +data directory .* is made at the first start$", done.out, re.MULTILINE)
    assert re.search(r"^ok +ports .* are free$", done.out, re.MULTILINE)
    assert done.out.endswith("A server can start.\n")
    assert not data_dir.exists()


async def test_check_config_changes_nothing_in_a_database(
    radiuscore: Run, own_database: Environ, database: str
) -> None:
    done = radiuscore(own_database, "check-config")

    assert done.code == 0, done.out + done.err
    assert re.search(r"^ok +keys +as given", done.out, re.MULTILINE)
    db = await connect(database)
    try:
        assert await db.fetchval("SELECT count(*) FROM control.key_checks") == 0
    finally:
        await db.close()


@pytest.mark.parametrize("below", ["", "new/er"])
async def test_check_config_of_a_data_dir_that_is_closed_to_this_user(
    environ: Environ, data_dir: Path, below: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (data_dir / "postgres" / "data").mkdir(parents=True)
    data_dir.chmod(0)
    for name, value in (environ | {"DATA_DIR": str(data_dir / below)}).items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir("/")
    monkeypatch.setattr(
        "mgmt.checkconfig.verify_ports_are_free", lambda settings: None
    )  # nothing is imported as nobody
    ids = os.getresuid()
    if os.geteuid() == 0:  # who is let in everywhere
        os.setresuid(65534, 65534, 0)
    try:
        found = [finding async for finding in findings()]
    finally:
        os.setresuid(*ids)
        data_dir.chmod(0o700)

    assert [finding.what for finding in found if not finding.good] == ["data directory"]
    assert "this user cannot write to" in found[1].text


async def test_check_config_tries_what_the_first_start_would_do(
    radiuscore: Run, environ: Environ, encryption_keys: str, empty_database: str
) -> None:
    keys = {"ENCRYPTION_KEYS": encryption_keys, "JWT_SECRET_KEY": JWT_SECRET_KEY}
    settings = environ | keys | {"DATABASE_URL": empty_database}
    done = radiuscore(settings, "check-config")
    assert done.code == 0, done.out + done.err
    assert "control is empty, version 0; the next start makes it version 1" in done.out

    db = await connect(empty_database)
    try:
        await db.execute("CREATE SCHEMA control; CREATE TABLE control.isps (id int); CREATE SCHEMA accounting")
        done = radiuscore(settings, "check-config")
        assert done.code == 1
        assert re.search(r"^WRONG +database +The database refused", done.out, re.MULTILINE)
        assert await db.fetchval("SELECT count(*) FROM pg_class WHERE relnamespace = 'control'::regnamespace") == 1
    finally:
        await db.close()


def test_check_config_names_all_that_is_wrong(radiuscore: Run, own_database: Environ) -> None:
    settings = own_database | {"DATABASE_URL": "postgresql://127.0.0.1:1/x", "DATA_DIR": "/dev/null/x"}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", int(settings["RADIUS_ACCT_PORT"])))
        done = radiuscore(settings, "check-config")

    wrong = re.findall(r"^WRONG +(data directory|ports|database) ", done.out, re.MULTILINE)
    assert wrong == ["data directory", "ports", "database"]
    assert done.code == 1
    assert done.out.endswith("A server cannot start like this.\n")


def test_check_config_shows_a_bad_setting(radiuscore: Run, environ: Environ) -> None:
    done = radiuscore(environ | {"API_PORT": "x"}, "check-config")

    assert done.code == 1
    assert re.match(r"WRONG +settings +API_PORT is 'x', which is not a port", done.out)


# -- without a server ------------------------------------------------------------------------------------------------


def test_trace_without_a_server_or_a_name(radiuscore: Run, environ: Environ) -> None:
    assert_one_sentence(radiuscore(environ, "trace", "--user", "anna"), r"^No server runs with DATA_DIR")
    assert_one_sentence(radiuscore(environ, "trace"), r"^Name a router with --nas or a customer with --user", code=2)


def test_radtest_without_a_device_or_with_an_unknown_method(radiuscore: Run, own_database: Environ) -> None:
    assert_one_sentence(radiuscore(own_database, "radtest", "anna", "x"), r"^There is no device")
    unknown = radiuscore(own_database, "radtest", "anna", "x", "--method", "eap")
    assert_one_sentence(unknown, r"^--method must be one of pap, chap, mschapv1, mschapv2", code=2)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become somebody else")
def test_another_users_installation_is_one_sentence(environ: Environ, data_dir: Path) -> None:
    data_dir.mkdir(mode=0o700)
    program = (  # imported as root, because nobody may not read everybody's Python
        "import os; from pathlib import Path; from mgmt.database import prepare_data_dir;"
        "os.setgroups([]); os.setgid(65534); os.setuid(65534); prepare_data_dir(Path(os.environ['D']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"D": str(data_dir)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert re.search(r"Fault: DATA_DIR .* cannot be written \(Permission denied\)", done.stderr), done.stderr
