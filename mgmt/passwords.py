"""Passwords of people who log in to the management API: argon2id, always in a thread, none by default."""

import asyncio
import secrets
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

MIN_LENGTH: Final = 12
MAX_LENGTH: Final = 1024  # hashing reads all of it

# OWASP's second choice: 19 MiB, 2 passes, 1 lane; about 40 ms, so that a burst of logins does not starve the jobs.
_HASHER: Final = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)


def generate_password() -> str:
    """Return a new password of 144 random bits, 24 characters that need no quoting."""
    return secrets.token_urlsafe(18)


def fault_of_password(password: str) -> str | None:
    """Return what is wrong with a chosen password, to follow "the password"; ``None`` if it may be used."""
    if len(password) < MIN_LENGTH:
        return f"has fewer than {MIN_LENGTH} characters"
    if len(password) > MAX_LENGTH:
        return f"has more than {MAX_LENGTH} characters"
    if len(set(password)) < 5:
        return "repeats a few characters"
    return None


async def hash_password(password: str) -> str:
    """Return the argon2id hash that is stored."""
    return await asyncio.to_thread(_HASHER.hash, password)


async def is_password(password: str, stored: str) -> bool:
    """Tell whether this is the password of a stored hash; a hash that cannot be read is nobody's."""

    def verify() -> bool:
        try:
            return _HASHER.verify(stored, password)
        except (VerificationError, InvalidHashError):
            return False

    return await asyncio.to_thread(verify)
