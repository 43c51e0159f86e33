"""How names are compared and stored: one function per question, used by every part that asks it."""

import re
from typing import Final
from unicodedata import normalize

_SEPARATED_MAC: Final = re.compile(r"(?:1:)?[0-9a-f]{1,2}([:-])(?:[0-9a-f]{1,2}\1){4}[0-9a-f]{1,2}", re.IGNORECASE)
_JOINED_MAC: Final = re.compile(r"[0-9a-f]{4}\.?[0-9a-f]{4}\.?[0-9a-f]{4}", re.IGNORECASE)
_MAC_LENGTHS: Final = range(11, 20)


def username_key(username: str | bytes) -> str:
    """Return the form in which usernames are unique per ISP and looked up.

    NFC and case folding, so that ``Abcd`` and ``abcd`` are one customer; a MAC address, however its
    octets are separated, becomes ``aa:bb:cc:dd:ee:ff``. Nothing is stripped: ``user\\0`` is not ``user``.
    Takes the name as typed, or its octets as they came in a packet.
    """
    return key_of_text(text_of(username.encode("utf-8", "surrogatepass") if isinstance(username, str) else username))


def key_of_text(text: str) -> str:
    """Return `username_key` of a name that is in the form of `text_of` already, as it is stored."""
    if len(text) in _MAC_LENGTHS and (mac := parse_mac(text)) is not None:
        return format_mac(mac)
    return text.lower() if text.isascii() else normalize("NFC", normalize("NFC", text).casefold())


def parse_mac(text: str) -> bytes | None:
    """Return the 6 octets of a MAC address, or ``None`` if the text is not one.

    Reads ``AA:BB:..``, ``AA-BB-..``, ``aabb.ccdd.eeff``, twelve bare hex digits, and RouterOS's DHCP client
    id ``1:0:e1:c:38:c8:f8`` (hardware type 1, octets without leading zeros).
    """
    if len(text) not in _MAC_LENGTHS:
        return None
    if match := _SEPARATED_MAC.fullmatch(text):
        return bytes(int(octet, 16) for octet in text.split(match[1])[-6:])
    if _JOINED_MAC.fullmatch(text):
        return bytes.fromhex(text.replace(".", ""))
    return None


def format_mac(mac: bytes) -> str:
    """Return 6 octets as ``aa:bb:cc:dd:ee:ff``."""
    return mac.hex(":")


def text_of(octets: bytes) -> str:
    """Return octets as text that PostgreSQL can store and that loses nothing.

    Valid UTF-8 is itself, unless it holds a NUL or looks like what follows; otherwise a backslash becomes two,
    and NUL and every octet that is not UTF-8 become ``\\xNN``. Two different values never give the same text.
    """
    try:
        text = octets.decode()
    except UnicodeDecodeError:
        return octets.replace(b"\\", b"\\\\").decode("utf-8", "backslashreplace").replace("\0", "\\x00")
    if "\0" in text or ("\\" in text and ("\\x" in text or "\\\\" in text)):
        return text.replace("\\", "\\\\").replace("\0", "\\x00")
    return text
