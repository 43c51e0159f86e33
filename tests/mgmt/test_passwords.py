"""Staff passwords: argon2id, verified, never short."""

import pytest

from mgmt.passwords import fault_of_password, generate_password, hash_password, is_password


async def test_a_password_is_verified_against_its_hash() -> None:
    stored = await hash_password("correct horse battery")

    assert stored.startswith("$argon2id$")
    assert await is_password("correct horse battery", stored)
    assert not await is_password("correct horse batterx", stored)
    assert stored != await hash_password("correct horse battery")


async def test_a_hash_that_cannot_be_read_is_nobodys() -> None:
    assert not await is_password("", "")
    assert not await is_password("x", "hashed_password")


def test_generated_passwords_differ_and_may_be_used() -> None:
    passwords = {generate_password() for _ in range(100)}

    assert len(passwords) == 100
    assert {fault_of_password(password) for password in passwords} == {None}


@pytest.mark.parametrize(
    ("password", "fault"),
    [
        ("admin123", "has fewer than 12 characters"),
        ("x" * 1025, "has more than 1024 characters"),
        ("abababababab", "repeats a few characters"),
        ("correct horse battery", None),
    ],
)
def test_a_weak_password_is_refused_with_its_fault(password: str, fault: str | None) -> None:
    assert fault_of_password(password) == fault
