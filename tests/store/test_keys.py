"""The keys of an installation: made once, kept private, and refused where they are not the database's."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from radiuscore.store.keys import KEY_FILE, KeyFault, check_keys, forget_key, load_or_make_keys
from radiuscore.store.sealing import Keyring

if TYPE_CHECKING:
    from tests.conftest import Db

FIRST, SECOND = Keyring({"k1": b"1" * 32}), Keyring({"k2": b"2" * 32})
BOTH = Keyring({"k2": b"2" * 32, "k1": b"1" * 32})


def test_makes_keys_once(tmp_path: Path) -> None:
    keys = load_or_make_keys(tmp_path)

    assert load_or_make_keys(tmp_path) == keys
    assert stat.S_IMODE((tmp_path / KEY_FILE).stat().st_mode) == 0o600
    assert [file.name for file in tmp_path.iterdir()] == [KEY_FILE]
    assert len(Keyring.parse(keys.encryption_keys).ids) == 1
    assert len(keys.jwt_secret_key) >= 32
    assert keys.encryption_keys not in repr(keys)
    assert keys.jwt_secret_key not in repr(keys)


def test_two_starters_end_with_the_same_keys(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(load_or_make_keys, [tmp_path] * 8))
    assert len({keys.encryption_keys for keys in made}) == 1


def test_names_a_damaged_file(tmp_path: Path) -> None:
    (tmp_path / KEY_FILE).write_text("{}")
    with pytest.raises(KeyFault, match=r"keys\.json cannot be read"):
        load_or_make_keys(tmp_path)


@pytest.mark.postgres
class TestAgainstADatabase:
    async def test_accepts_its_own_keys_again(self, system_db: Db) -> None:
        await check_keys(system_db, FIRST)
        await check_keys(system_db, FIRST)
        await check_keys(system_db, BOTH)
        assert await system_db.fetchval("SELECT array_agg(key_id ORDER BY key_id) FROM control.key_checks") == [
            "k1",
            "k2",
        ]

    async def test_refuses_to_lose_a_key(self, system_db: Db) -> None:
        await check_keys(system_db, FIRST)
        with pytest.raises(KeyFault, match="sealed with key k1, which is not among ENCRYPTION_KEYS"):
            await check_keys(system_db, SECOND)

    async def test_refuses_another_key_of_the_same_name(self, system_db: Db) -> None:
        await check_keys(system_db, FIRST)
        with pytest.raises(KeyFault, match="has a key k1, but not the one"):
            await check_keys(system_db, Keyring({"k1": b"9" * 32}))

    async def test_forgets_a_key_that_seals_nothing_any_more(self, system_db: Db) -> None:
        await check_keys(system_db, FIRST)
        await check_keys(system_db, BOTH)
        await forget_key(system_db, "k1")
        await check_keys(system_db, SECOND)

    async def test_shows_no_key(self, system_db: Db) -> None:
        await check_keys(system_db, FIRST)
        with pytest.raises(KeyFault) as caught:
            await check_keys(system_db, SECOND)
        assert "1111" not in str(caught.value)
