"""Log in, stay logged in, log out. An unknown email costs what a wrong password costs, and says the same."""

from typing import Final
from uuid import UUID, uuid4

from mgmt.auth import throttle, totp
from mgmt.auth.tokens import REFRESH_S, AccessClaims, new_refresh_token, token_hash
from mgmt.problems import Problem
from mgmt.services import Services
from mgmt.store import people
from mgmt.store.people import Person
from radiuscore.store.pool import Connection

MAX_USER_AGENT: Final = 200  # characters


class Session:
    """A login that succeeded: whose, and the two tokens. ``repr`` shows neither."""

    __slots__ = ("access_token", "person", "refresh_token")

    def __init__(self, person: Person, access_token: str, refresh_token: str) -> None:
        self.person = person
        self.access_token = access_token
        self.refresh_token = refresh_token


class Origin:
    """Where a login comes from, as it is stored with its tokens."""

    __slots__ = ("address", "user_agent")

    def __init__(self, address: str | None, user_agent: str | None) -> None:
        self.address = address
        self.user_agent = None if user_agent is None else user_agent[:MAX_USER_AGENT].replace("\0", "")


async def prove_person(services: Services, origin: Origin, email: str, password: str, otp: str | None) -> Person:
    """Return who has this email, password and, where he has enabled it, one-time password. Raises `Problem`."""
    keys = (throttle.account_key(email), throttle.address_key(origin.address))
    await throttle.count(services, keys[1], throttle.OF_ADDRESS)
    await throttle.count(services, keys[0], throttle.OF_ACCOUNT)
    async with services.control.system.acquire() as db:
        person = await people.find_by_email(db, email)
    proved = await services.passwords.check(password, None if person is None else person.password_hash)
    if person is None or not proved or person.status != "active":
        raise Problem("bad_credentials")
    if person.isp_status == "suspended":
        raise Problem("isp_suspended")
    forget: tuple[str, ...] = (keys[0],)
    if person.totp_enabled_at is not None:
        if otp is None:
            await throttle.forgive(services, forget=(), once=keys)
            raise Problem("otp_required")
        await prove_otp(services, person, otp)
        forget += (throttle.otp_key(person.id),)
    await throttle.forgive(services, forget=forget, once=(keys[1],))
    return person


async def prove_otp(services: Services, person: Person, otp: str) -> None:
    """Use a one-time password or a recovery code, which is then used up. Raises `Problem`."""
    await throttle.count(services, throttle.otp_key(person.id), throttle.OF_OTP)
    if not (
        await _use_recovery_code(services, person, otp)
        if totp.is_recovery_code(otp)
        else await _use_otp(services, person, otp)
    ):
        raise Problem("bad_otp")


def open_totp_secret(services: Services, person: Person) -> str:
    """Return the secret that a user shares with his telephone."""
    assert person.totp_secret is not None
    place = {"table": "users", "column": "totp_secret"}
    return services.keyring.open(person.totp_secret, row=person.id, isp_id=person.isp_id or 0, **place).decode()


async def _use_otp(services: Services, person: Person, otp: str) -> bool:
    step = totp.step_of(open_totp_secret(services, person), otp)
    if step is None:
        return False
    async with services.control.system.acquire() as db:
        return await db.fetchval(people.USE_TOTP_STEP, person.id, step) is not None


async def _use_recovery_code(services: Services, person: Person, code: str) -> bool:
    async with services.control.system.acquire() as db:
        hashes = [row["code_hash"] for row in await db.fetch(people.LIST_RECOVERY_CODES, person.id)]
    for one in hashes:
        if await services.passwords.check(code.lower(), one):
            async with services.control.system.acquire() as db:
                return await db.fetchval(people.USE_RECOVERY_CODE, person.id, one) is not None
    return False


async def begin_session(services: Services, db: Connection, person: Person, origin: Origin) -> Session:
    """Store a new login of a user who has proved himself."""
    await db.execute(people.NOTE_LOGIN, person.id)
    await db.execute(people.FORGET_REFRESH_TOKENS, person.id)
    return await _issue(services, db, person, uuid4(), origin)


async def renew_session(services: Services, refresh_token: str, origin: Origin) -> Session:
    """Return new tokens for a refresh token, which is used up by that. Raises `Problem`.

    One that was used before has been copied: then every token of that login ends, whoever has them.
    """
    async with services.control.system.acquire() as db, db.transaction():
        token = await people.lock_refresh_token(db, token_hash(refresh_token))
        person = None if token is None else await people.find_by_id(db, token.user_id)
        if token is None or person is None:
            raise Problem("refresh_token_invalid")
        if not token.used:
            if token.revoked or token.expired or person.status != "active":
                raise Problem("refresh_token_invalid")
            if person.isp_status == "suspended":
                raise Problem("isp_suspended")
            await db.execute(people.USE_REFRESH_TOKEN, token.id)
            return await _issue(services, db, person, token.family, origin)
        if not token.revoked:
            await db.execute(people.REVOKE_FAMILY, token.family)
            await db.execute(people.END_TOKENS, person.id)
    raise Problem("refresh_token_reused")


async def end_session(db: Connection, user_id: int, session: str | None) -> None:
    """End a login: its refresh tokens, and all access tokens of the user, which other logins renew by themselves."""
    await db.execute(people.END_TOKENS, user_id)
    if session is not None:
        await db.execute(people.REVOKE_FAMILY, UUID(session))


async def _issue(services: Services, db: Connection, person: Person, family: UUID, origin: Origin) -> Session:
    refresh_token = new_refresh_token()
    await db.execute(
        people.INSERT_REFRESH_TOKEN,
        person.id,
        family,
        token_hash(refresh_token),
        REFRESH_S,
        origin.address,
        origin.user_agent,
    )
    claims = AccessClaims(person.id, str(family), person.token_version)
    return Session(person, services.tokens.sign(claims), refresh_token)
