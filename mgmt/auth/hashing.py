"""Argon2id for many at once: in threads, a few at a time, and the same cost whoever asks."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from mgmt.passwords import generate_password, hash_password, is_password
from mgmt.problems import Problem

AT_ONCE: Final = 2  # 19 MiB and 40 ms of a core each
MAX_WAITING: Final = 64  # some 1.3 s; more than that would time out anyway


class PasswordDesk:
    """Checks and hashes passwords. Raises `Problem` ``busy`` when too many wait already."""

    def __init__(self) -> None:
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0
        self._nobody: str | None = None

    async def check(self, password: str, stored: str | None) -> bool:
        """Tell whether a password is that of a stored hash; without one it takes as long and is wrong."""
        async with self._slot():
            if stored is not None:
                return await is_password(password, stored)
            if self._nobody is None:
                self._nobody = await hash_password(generate_password())
            await is_password(password, self._nobody)
            return False

    async def hash(self, password: str) -> str:
        """Return the hash to store."""
        async with self._slot():
            return await hash_password(password)

    async def warm_up(self) -> None:
        """Make the hash that unknown users are checked against, so that the first of them takes no longer."""
        self._nobody = await hash_password(generate_password())

    @asynccontextmanager
    async def _slot(self) -> AsyncIterator[None]:
        if self._waiting >= MAX_WAITING:
            raise Problem("busy", headers={"Retry-After": "2"})
        self._waiting += 1
        try:
            async with self._slots:
                yield
        finally:
            self._waiting -= 1
