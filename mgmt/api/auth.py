"""Logging in, and what belongs to it. These handlers work as the system role: before a login there is no tenant."""

from mgmt.api.schemas import auth as schemas
from mgmt.audit import record
from mgmt.auth import login, throttle, totp
from mgmt.auth.login import Origin, Session
from mgmt.auth.tokens import ACCESS_S
from mgmt.call import Answer, Call
from mgmt.problems import Problem
from mgmt.roles import Principal, Role
from mgmt.store import people
from mgmt.store.people import Person


async def log_in(call: Call, body: schemas.Login) -> Answer:
    """Log in with email and password, and a one-time password if that is enabled."""
    services, origin = call.services, _origin(call)
    person = await login.prove_person(services, origin, body.email, body.password, body.otp)
    call.principal = Principal(Role(person.role), person.isp_id, person.id, person.email)
    async with services.control.transaction(None) as db:
        session = await login.begin_session(services, db, person, origin)
        await record(call, db, "auth.login", isp_id=person.isp_id, target=("user", person.id))
    return _tokens(session)


async def refresh(call: Call, body: schemas.Refresh) -> Answer:
    """Exchange a refresh token for new tokens. It is good once; a second use ends the login."""
    return _tokens(await login.renew_session(call.services, body.refresh_token, _origin(call)))


async def log_out(call: Call) -> Answer:
    """End this login, and every access token of the user."""
    async with call.services.control.transaction(None) as db:
        user_id = _user_id(call)
        await login.end_session(db, user_id, call.principal.session)
        await record(call, db, "auth.logout", isp_id=call.principal.isp_id, target=("user", user_id))
    return Answer(None)


async def show_me(call: Call) -> Answer:
    """Show who asks."""
    principal = call.principal
    person = None if principal.user_id is None else await _person(call)
    return Answer(
        schemas.Me(
            role=principal.role.value,
            isp_id=principal.isp_id,
            user_id=principal.user_id,
            email=None if person is None else person.email,
            first_name="" if person is None else person.first_name,
            last_name="" if person is None else person.last_name,
            mfa_enabled=person is not None and person.totp_enabled_at is not None,
        )
    )


async def change_password(call: Call, body: schemas.NewPassword) -> Answer:
    """Change one's own password. It ends all one's logins."""
    person = await _confirmed(call, body.current_password)
    password_hash = await call.services.passwords.hash(body.new_password)
    async with call.services.control.transaction(None) as db:
        await db.execute(people.SET_PASSWORD, person.id, password_hash)
        await record(call, db, "auth.change_password", isp_id=person.isp_id, target=("user", person.id))
    return Answer(None)


async def set_up_mfa(call: Call, body: schemas.Confirmation) -> Answer:
    """Begin to enable one-time passwords. They are asked for once `mfa/enable` has seen one."""
    person = await _confirmed(call, body.password)
    secret = totp.new_secret()
    sealed = call.services.keyring.seal(
        secret, table="users", row=person.id, column="totp_secret", isp_id=person.isp_id or 0
    )
    async with call.services.control.transaction(None) as db:
        if await db.fetchval(people.SET_TOTP_SECRET, person.id, sealed) is None:
            raise Problem("mfa_enabled")
        await record(call, db, "auth.mfa_setup", isp_id=person.isp_id, target=("user", person.id))
    uri = totp.provisioning_uri(secret, person.email)
    return Answer(schemas.MfaSetup(secret=secret, uri=uri, qr_svg=totp.qr_code(uri)))


async def enable_mfa(call: Call, body: schemas.OtpConfirmation) -> Answer:
    """Enable one-time passwords. The recovery codes are shown this once."""
    services, person = call.services, await _person(call)
    if person.totp_enabled_at is not None:
        raise Problem("mfa_enabled")
    if person.totp_secret is None:
        raise Problem("mfa_not_set_up")
    await login.prove_otp(services, person, body.otp)
    await throttle.forgive(services, forget=(throttle.otp_key(person.id),))
    codes = totp.new_recovery_codes()
    hashes = [await services.passwords.hash(code) for code in codes]
    async with services.control.transaction(None) as db:
        await db.execute(people.ENABLE_TOTP, person.id)
        await db.execute(people.DELETE_RECOVERY_CODES, person.id)
        await db.execute(people.INSERT_RECOVERY_CODES, person.id, hashes)
        await record(call, db, "auth.mfa_enable", isp_id=person.isp_id, target=("user", person.id))
    return Answer(schemas.RecoveryCodes(recovery_codes=list(codes)))


async def disable_mfa(call: Call, body: schemas.MfaRemoval) -> Answer:
    """Disable one-time passwords. It ends all one's access tokens."""
    services, person = call.services, await _confirmed(call, body.password)
    if person.totp_enabled_at is None:
        raise Problem("mfa_not_set_up")
    await login.prove_otp(services, person, body.otp)
    await throttle.forgive(services, forget=(throttle.otp_key(person.id),))
    async with services.control.transaction(None) as db:
        await db.execute(people.DISABLE_TOTP, person.id)
        await db.execute(people.DELETE_RECOVERY_CODES, person.id)
        await record(call, db, "auth.mfa_disable", isp_id=person.isp_id, target=("user", person.id))
    return Answer(None)


async def _confirmed(call: Call, password: str) -> Person:
    """Return the user who asks, who has given his password once more. Raises `Problem`."""
    person = await _person(call)
    key = throttle.account_key(person.email)
    await throttle.count(call.services, key, throttle.OF_ACCOUNT)
    if not await call.services.passwords.check(password, person.password_hash):
        raise Problem("bad_credentials")
    await throttle.forgive(call.services, forget=(key,))
    return person


async def _person(call: Call) -> Person:
    async with call.services.control.system.acquire() as db:
        person = await people.find_by_id(db, _user_id(call))
    if person is None:
        raise Problem("token_invalid")
    return person


def _user_id(call: Call) -> int:
    user_id = call.principal.user_id
    assert user_id is not None, "these routes are for people"
    return user_id


def _origin(call: Call) -> Origin:
    return Origin(call.address, call.request.headers.get("User-Agent"))


def _tokens(session: Session) -> Answer:
    tokens = schemas.Tokens(access_token=session.access_token, refresh_token=session.refresh_token, expires_in=ACCESS_S)
    return Answer(tokens)
