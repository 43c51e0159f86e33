"""The keys of one installation: made in DATA_DIR for the embedded database, and checked against every database.

With a DATABASE_URL of one's own the keys must be given, because several nodes need the same ones. The database keeps
one sealed known text per key id: a node whose keys do not open all of them would lose or garble secrets, and stops.
"""

import contextlib
import json
import os
import secrets
from base64 import b64encode
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from radiuscore.store.pool import Connection
from radiuscore.store.sealing import KEY_OCTETS, CannotOpen, Keyring

KEY_FILE: Final = "keys.json"
_KNOWN_TEXT: Final = b"radiuscore"

LIST_CHECKS: Final = "SELECT key_id, check_value FROM control.key_checks ORDER BY created_at, key_id"
INSERT_CHECK: Final = """
INSERT INTO control.key_checks (key_id, check_value) VALUES ($1, $2) ON CONFLICT (key_id) DO NOTHING
"""
DELETE_CHECK: Final = "DELETE FROM control.key_checks WHERE key_id = $1"


class KeyFault(Exception):
    """The keys at hand are not this database's. The text is one sentence for an operator, without any key."""


@dataclass(frozen=True, slots=True)
class GeneratedKeys:
    """What `load_or_make_keys` keeps in DATA_DIR, in the form of the settings of the same names."""

    encryption_keys: str = field(repr=False)
    jwt_secret_key: str = field(repr=False)


def load_or_make_keys(data_dir: Path) -> GeneratedKeys:
    """Return the installation's keys from DATA_DIR, made there (mode 0600) at the first start.

    Two processes at once end with the same keys. Raises `KeyFault` for a file that cannot be read.
    """
    path = data_dir / KEY_FILE
    if not path.exists():
        _write_once(path, json.dumps({"ENCRYPTION_KEYS": _new_encryption_key(), "JWT_SECRET_KEY": _new_jwt_key()}))
    try:
        kept = json.loads(path.read_text())
        return GeneratedKeys(kept["ENCRYPTION_KEYS"], kept["JWT_SECRET_KEY"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise KeyFault(f"{path} cannot be read ({type(error).__name__}): restore it from a backup.") from None


async def check_keys(db: Connection, keyring: Keyring) -> None:
    """Make sure that these keys open what the database holds, and note the sealing key's check value if it is new.

    Raises `KeyFault`: the node must not start.
    """
    known = {row["key_id"]: row["check_value"] for row in await db.fetch(LIST_CHECKS)}
    if keyring.sealing_id not in known:
        await db.execute(INSERT_CHECK, keyring.sealing_id, _seal_check(keyring))
        known = {row["key_id"]: row["check_value"] for row in await db.fetch(LIST_CHECKS)}
    for key_id, sealed in known.items():
        if key_id not in keyring.ids:
            raise KeyFault(
                f"The database holds secrets sealed with key {key_id}, which is not among ENCRYPTION_KEYS: add it, "
                "or, after every secret was sealed again with another, forget it."
            )
        try:
            opened = keyring.open(sealed, table="key_checks", row=key_id, column="check_value", isp_id=0)
        except CannotOpen:
            opened = b""
        if opened != _KNOWN_TEXT:
            raise KeyFault(
                f"ENCRYPTION_KEYS has a key {key_id}, but not the one that this database was sealed with: give the "
                "original, from a backup or from the other nodes."
            )


async def forget_key(db: Connection, key_id: str) -> None:
    """Let a key go that no longer seals anything, so that ENCRYPTION_KEYS need not name it."""
    await db.execute(DELETE_CHECK, key_id)


def _seal_check(keyring: Keyring) -> str:
    return keyring.seal(_KNOWN_TEXT, table="key_checks", row=keyring.sealing_id, column="check_value", isp_id=0)


def _new_encryption_key() -> str:
    # The id is random too, so that a ring whose file was lost is not taken for the one it replaces.
    return f"{secrets.token_hex(4)}:{b64encode(secrets.token_bytes(KEY_OCTETS)).decode()}"


def _new_jwt_key() -> str:
    return b64encode(secrets.token_bytes(48)).decode()


def _write_once(path: Path, text: str) -> None:
    """Write a file whole or not at all, durably, and never over one that somebody else wrote first."""
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(descriptor)
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink()
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
