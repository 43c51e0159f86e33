"""Passwords on the wire: User-Password, CHAP, and the salted encryption of keys and tunnel passwords.

Whether a password is right is decided in `aaa.credentials`.
"""

from typing import Final

from radiuscore.wire.secret import SharedSecret, md5

BLOCK_LENGTH: Final = 16
MAX_PASSWORD_LENGTH: Final = 128
SALT_LENGTH: Final = 2
_MAX_SALTED_LENGTH: Final = 239


def hide_password(password: bytes, secret: bytes | SharedSecret, authenticator: bytes) -> bytes:
    """Return the value of User-Password: 16 to 128 octets in steps of 16 (RFC 2865 §5.2).

    Raises `ValueError` for a password of more than 128 octets.
    """
    if len(password) > MAX_PASSWORD_LENGTH:
        raise ValueError(f"a password is at most {MAX_PASSWORD_LENGTH} octets long")
    return _hide(_padded(password) or bytes(BLOCK_LENGTH), _shared(secret), authenticator)


def reveal_password(hidden: bytes, secret: bytes | SharedSecret, authenticator: bytes) -> bytes | None:
    """Return the password in a User-Password without its padding, or ``None`` for a length that no password has.

    With the wrong secret the result is random octets. (RFC 2865 §5.2)
    """
    length = len(hidden)
    if length == BLOCK_LENGTH:  # most passwords
        return _xor(hidden, _shared(secret).keyed_md5(authenticator)).rstrip(b"\0")
    if not BLOCK_LENGTH <= length <= MAX_PASSWORD_LENGTH or length % BLOCK_LENGTH:
        return None
    return _reveal(hidden, _shared(secret), authenticator).rstrip(b"\0")


def chap_response(ident: int, password: bytes, challenge: bytes) -> bytes:
    """Return the 16 octets that prove a password by CHAP (RFC 1994 §4.1, RFC 2865 §5.3)."""
    return md5(bytes((ident,)) + password + challenge)


def hide_salted(value: bytes, salt: bytes, secret: bytes | SharedSecret, request_authenticator: bytes) -> bytes:
    """Return salt and ciphertext of an MS-MPPE key or a Tunnel-Password (RFC 2548 §2.4.2, RFC 2868 §3.5).

    ``salt`` is 2 random octets; its top bit is set here. Within one packet every salt must differ.
    Raises `ValueError` for a value of more than 239 octets.
    """
    if len(value) > _MAX_SALTED_LENGTH or len(salt) != SALT_LENGTH:
        raise ValueError(f"a salted value is at most {_MAX_SALTED_LENGTH} octets long and its salt {SALT_LENGTH}")
    salt = bytes((salt[0] | 0x80, salt[1]))
    return salt + _hide(_padded(bytes((len(value),)) + value), _shared(secret), request_authenticator + salt)


def reveal_salted(hidden: bytes, secret: bytes | SharedSecret, request_authenticator: bytes) -> bytes | None:
    """Return what `hide_salted` hid, or ``None`` for octets it cannot have made (RFC 2868 §3.5)."""
    salt, ciphertext = hidden[:SALT_LENGTH], hidden[SALT_LENGTH:]
    if not ciphertext or len(ciphertext) % BLOCK_LENGTH:
        return None
    plain = _reveal(ciphertext, _shared(secret), request_authenticator + salt)
    length = plain[0]
    return plain[1 : 1 + length] if length < len(plain) else None


def hide_blocks(value: bytes, secret: bytes | SharedSecret, request_authenticator: bytes) -> bytes:
    """Return a value of fixed length hidden as User-Password is, zero-padded to 16 (RFC 2548 §2.4.1)."""
    return _hide(_padded(value), _shared(secret), request_authenticator)


def reveal_blocks(hidden: bytes, secret: bytes | SharedSecret, request_authenticator: bytes) -> bytes | None:
    """Return the octets and padding that `hide_blocks` hid, or ``None`` for a length that is no step of 16."""
    if not hidden or len(hidden) % BLOCK_LENGTH:
        return None
    return _reveal(hidden, _shared(secret), request_authenticator)


def _shared(secret: bytes | SharedSecret) -> SharedSecret:
    return secret if isinstance(secret, SharedSecret) else SharedSecret(secret)


def _padded(value: bytes) -> bytes:
    return value + bytes(-len(value) % BLOCK_LENGTH)


def _hide(plain: bytes, secret: SharedSecret, seed: bytes) -> bytes:
    hidden: list[bytes] = []
    for start in range(0, len(plain), BLOCK_LENGTH):
        seed = _xor(plain[start : start + BLOCK_LENGTH], secret.keyed_md5(seed))
        hidden.append(seed)
    return b"".join(hidden)


def _reveal(hidden: bytes, secret: SharedSecret, seed: bytes) -> bytes:
    plain = b""
    for start in range(0, len(hidden), BLOCK_LENGTH):
        block = hidden[start : start + BLOCK_LENGTH]
        plain += _xor(block, secret.keyed_md5(seed))
        seed = block
    return plain


def _xor(left: bytes, right: bytes) -> bytes:
    return (int.from_bytes(left, "big") ^ int.from_bytes(right, "big")).to_bytes(BLOCK_LENGTH, "big")
