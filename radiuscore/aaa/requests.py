"""An Access-Request as policy sees it: one pass over the packet, then only questions."""

from collections.abc import Sequence
from ipaddress import IPv4Address
from typing import Final

from radiuscore.aaa.credentials import Chap, Credential, MsChapV1, MsChapV2, NoCredential, NtKeys, NtKeysOf, Pap
from radiuscore.aaa.names import parse_mac, text_of, username_key
from radiuscore.aaa.records import Nas
from radiuscore.wire.attributes import split_vendor
from radiuscore.wire.packet import Packet
from radiuscore.wire.secret import SharedSecret

USER_NAME: Final = 1
USER_PASSWORD: Final = 2
CHAP_PASSWORD: Final = 3
FRAMED_IP_ADDRESS: Final = 8
VENDOR_SPECIFIC: Final = 26
CALLED_STATION_ID: Final = 30
CALLING_STATION_ID: Final = 31
ACCT_SESSION_ID: Final = 44
CHAP_CHALLENGE: Final = 60
EAP_MESSAGE: Final = 79
NAS_PORT_ID: Final = 87

_MICROSOFT: Final = (311).to_bytes(4, "big")
_MS_CHAP_RESPONSE: Final = 1
_MS_CHAP_CHALLENGE: Final = 11
_MS_CHAP2_RESPONSE: Final = 25
_MS_CHAP_LENGTH: Final = 50
_HAS_NT_RESPONSE: Final = 1
_CHAP_LENGTH: Final = 17


class AccessRequest:
    """One Access-Request of a NAS that is known.

    ``first`` holds the first value of each attribute type, in octets. Text is in the form of `names.text_of`.
    """

    __slots__ = ("credential", "first", "nas", "now", "packet", "username_octets")

    def __init__(
        self,
        packet: Packet,
        first: dict[int, bytes],
        nas: Nas,
        secrets: Sequence[SharedSecret],
        now: float,
        keys_of: NtKeysOf = NtKeys,
    ) -> None:
        self.packet = packet
        self.first = first
        self.nas = nas
        self.now = now
        self.username_octets = first.get(USER_NAME, b"")
        self.credential = read_credential(packet, first, secrets, keys_of)

    @property
    def username(self) -> str:
        return text_of(self.username_octets)

    @property
    def username_key(self) -> str:
        """The form in which a customer is looked up."""
        return username_key(self.username_octets)

    @property
    def calling_station_id(self) -> str | None:
        return self._text(CALLING_STATION_ID)

    @property
    def called_station_id(self) -> str | None:
        return self._text(CALLED_STATION_ID)

    @property
    def acct_session_id(self) -> str | None:
        return self._text(ACCT_SESSION_ID)

    @property
    def nas_port_id(self) -> str | None:
        return self._text(NAS_PORT_ID)

    @property
    def framed_ip_address(self) -> IPv4Address | None:
        octets = self.first.get(FRAMED_IP_ADDRESS, b"")
        return IPv4Address(octets) if len(octets) == 4 else None

    @property
    def calling_mac(self) -> bytes | None:
        """The 6 octets of Calling-Station-Id, or ``None`` where it is not a MAC address."""
        text = self.calling_station_id
        return parse_mac(text) if text else None

    def proves(self, password: str | bytes) -> bool:
        """Tell whether the customer knows this password, by PAP, CHAP, MS-CHAPv1 or MS-CHAPv2 alike.

        An empty password is never proved.
        """
        octets = password.encode() if isinstance(password, str) else password
        return self.credential.proves(octets) and bool(octets)

    def proves_mac(self) -> bool:
        """Tell whether this is a login by MAC address, as RouterOS sends it.

        The name is the device's own Calling-Station-Id, and the password is empty (hotspot, DHCP, wireless) or the
        name once more (wireless ``as-username-and-password``).
        """
        mac = parse_mac(self.username)
        if mac is None or mac != self.calling_mac:
            return False
        return self.credential.proves(b"") or self.credential.proves(self.username_octets)

    def _text(self, kind: int) -> str | None:
        octets = self.first.get(kind)
        return text_of(octets) if octets else None


def read_credential(
    packet: Packet, first: dict[int, bytes], secrets: Sequence[SharedSecret], keys_of: NtKeysOf
) -> Credential:
    """Return what the request offers as proof; an empty one is absent, and one of the wrong shape proves nothing."""
    if first.get(USER_PASSWORD):
        return Pap(first[USER_PASSWORD], packet.authenticator, secrets)
    if first.get(CHAP_PASSWORD):
        if len(first[CHAP_PASSWORD]) != _CHAP_LENGTH:
            return NoCredential("none")
        return Chap(first[CHAP_PASSWORD], first.get(CHAP_CHALLENGE) or packet.authenticator)
    if VENDOR_SPECIFIC in first:
        return _read_mschap(packet, first, keys_of)
    return NoCredential("eap" if EAP_MESSAGE in first else "none")


def _read_mschap(packet: Packet, first: dict[int, bytes], keys_of: NtKeysOf) -> Credential:
    """Return the MS-CHAP response that fits the challenge; a NAS may put both into one Vendor-Specific attribute."""
    offered: dict[int, bytes] = {}
    for kind, value in packet.attributes:
        if kind == VENDOR_SPECIFIC and value.startswith(_MICROSOFT):
            for number, octets in split_vendor(value):
                offered.setdefault(number, octets)
    challenge = offered.get(_MS_CHAP_CHALLENGE, b"")
    response = offered.get(_MS_CHAP2_RESPONSE, b"")
    if len(challenge) == 16 and len(response) == _MS_CHAP_LENGTH:
        return MsChapV2(response, challenge, first.get(USER_NAME, b""), keys_of)
    response = offered.get(_MS_CHAP_RESPONSE, b"")
    if len(challenge) == 8 and len(response) == _MS_CHAP_LENGTH and response[1] & _HAS_NT_RESPONSE:
        return MsChapV1(response, challenge, keys_of)
    return NoCredential("eap" if EAP_MESSAGE in first else "none")
