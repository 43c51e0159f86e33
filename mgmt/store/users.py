"""Users, who log in to the management API, as rows. An admin belongs to no ISP."""

from typing import Final

from radiuscore.store.pool import Connection

INSERT_ADMIN: Final = """
INSERT INTO control.users (email, password_hash, first_name, last_name, role)
VALUES ($1, $2, $3, $4, 'admin')
RETURNING id
"""
HAS_ADMIN: Final = "SELECT EXISTS (SELECT FROM control.users WHERE role = 'admin')"


async def insert_admin(db: Connection, *, email: str, password_hash: str, first_name: str, last_name: str) -> int:
    """Store an admin and return his id. Raises asyncpg.UniqueViolationError where the email is taken."""
    user_id: int = await db.fetchval(INSERT_ADMIN, email, password_hash, first_name, last_name)
    return user_id


async def has_admin(db: Connection) -> bool:
    """Tell whether anybody may administer this installation."""
    found: bool = await db.fetchval(HAS_ADMIN)
    return found
