"""Requests as a router sends them: one function per way to log in, and one for reports."""

from collections.abc import Callable

import pytest

from tests.protocol import oracle
from tests.protocol.bench import ONE, PASSWORD
from tests.protocol.oracle import MICROSOFT, attribute, request, vendor

AUTHENTICATOR = bytes(range(16))
CHALLENGE = bytes.fromhex("5b5d7c7d7b3f2f3e3c2c602132262628")
PEER = bytes.fromhex("21402324255e262a28295f2b3a337c7e")


def pap(
    username: str | bytes = "anna",
    password: str | bytes = PASSWORD[1],
    *more: bytes,
    secret: bytes = ONE,
    sign: bool = True,
    identifier: int = 7,
    authenticator: bytes = bytes(range(16)),
) -> bytes:
    """Return a PAP login as a router sends it; signed unless said otherwise."""
    octets = password.encode() if isinstance(password, str) else password
    return oracle.request(
        attribute(oracle.USER_NAME, username),
        attribute(oracle.USER_PASSWORD, oracle.hide(octets, secret, authenticator)),
        *more,
        identifier=identifier,
        authenticator=authenticator,
        sign=secret if sign else None,
    )


def chap(
    username: str = "anna",
    password: str = PASSWORD[1],
    *more: bytes,
    secret: bytes = ONE,
    sign: bool = True,
    identifier: int = 7,
    authenticator: bytes = bytes(range(16)),
) -> bytes:
    """Return a CHAP login whose challenge is the Request Authenticator."""
    return oracle.request(
        attribute(oracle.USER_NAME, username),
        attribute(oracle.CHAP_PASSWORD, oracle.chap(3, password.encode(), authenticator)),
        *more,
        identifier=identifier,
        authenticator=authenticator,
        sign=secret if sign else None,
    )


def report(
    status: int = 1,
    *more: bytes,
    secret: bytes = ONE,
    identifier: int = 7,
    sign: bool = False,
    session: str = "8100001",
) -> bytes:
    """Return an Accounting-Request of anna's session."""
    return oracle.accounting(
        attribute(oracle.ACCT_STATUS_TYPE, status),
        attribute(oracle.ACCT_SESSION_ID, session),
        attribute(oracle.USER_NAME, "anna"),
        *more,
        secret=secret,
        identifier=identifier,
        sign=sign,
    )


def mschap1(
    username: str = "anna", password: str = PASSWORD[1], *more: bytes, secret: bytes = ONE, identifier: int = 7
) -> bytes:
    return request(
        attribute(1, username),
        vendor(MICROSOFT, attribute(oracle.MS_CHAP_CHALLENGE, CHALLENGE[:8])),
        vendor(MICROSOFT, attribute(oracle.MS_CHAP_RESPONSE, oracle.mschap1(5, CHALLENGE[:8], password))),
        *more,
        sign=secret,
        identifier=identifier,
    )


def mschap2(
    username: str = "anna",
    password: str = PASSWORD[1],
    *more: bytes,
    secret: bytes = ONE,
    identifier: int = 7,
    hashed: str | None = None,
) -> bytes:
    """Return an MS-CHAPv2 login; ``hashed`` is the name that went into the response, if not the one that is sent."""
    name = (username if hashed is None else hashed).encode()
    return request(
        attribute(1, username),
        vendor(MICROSOFT, attribute(oracle.MS_CHAP_CHALLENGE, CHALLENGE)),
        vendor(MICROSOFT, attribute(oracle.MS_CHAP2_RESPONSE, oracle.mschap2(5, CHALLENGE, PEER, name, password))),
        *more,
        sign=secret,
        identifier=identifier,
    )


METHODS: dict[str, Callable[..., bytes]] = {"pap": pap, "chap": chap, "mschapv1": mschap1, "mschapv2": mschap2}
each_method = pytest.mark.parametrize("method", METHODS)
