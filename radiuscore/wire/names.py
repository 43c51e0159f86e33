"""What people call packet codes and the values of enumerated attributes, in the words of FreeRADIUS."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, TypeAlias

Names: TypeAlias = Mapping[int, str]

NO_NAMES: Final[Names] = MappingProxyType({})


def _numbered(words: str, start: int = 1) -> Names:
    return MappingProxyType(dict(enumerate(words.split(), start)))


def _listed(words: str) -> Names:
    """Read ``number word number word ..``."""
    tokens = words.split()
    return MappingProxyType({int(number): word for number, word in zip(tokens[::2], tokens[1::2], strict=True)})


# RFC 2865 §3, RFC 2866 §3, RFC 5176 §2.3, RFC 5997 §3, RFC 7930 §4
CODES: Final = _listed("""
    1 Access-Request  2 Access-Accept  3 Access-Reject  4 Accounting-Request  5 Accounting-Response
    11 Access-Challenge  12 Status-Server  40 Disconnect-Request  41 Disconnect-ACK  42 Disconnect-NAK
    43 CoA-Request  44 CoA-ACK  45 CoA-NAK  52 Protocol-Error""")
# RFC 2865 §5.6, RFC 5176 §3.1
SERVICE_TYPES: Final = _listed("""
    1 Login-User  2 Framed-User  3 Callback-Login-User  4 Callback-Framed-User  5 Outbound-User
    6 Administrative-User  7 NAS-Prompt-User  8 Authenticate-Only  9 Callback-NAS-Prompt
    10 Call-Check  11 Callback-Administrative  17 Authorize-Only  18 Framed-Management""")
# RFC 2865 §5.7, §5.10, §5.13, §5.15, §5.29
FRAMED_PROTOCOLS: Final = _numbered("PPP SLIP ARAP Gandalf-SLML Xylogics-IPX-SLIP X.75-Synchronous")
FRAMED_ROUTINGS: Final = _numbered("None Broadcast Listen Broadcast-Listen", 0)
FRAMED_COMPRESSIONS: Final = _numbered("None Van-Jacobson-TCP-IP IPX-Header-Compression Stac-LZS", 0)
LOGIN_SERVICES: Final = _listed("""
    0 Telnet  1 Rlogin  2 TCP-Clear  3 PortMaster  4 LAT  5 X25-PAD  6 X25-T3POS  8 TCP-Clear-Quiet""")
TERMINATION_ACTIONS: Final = _numbered("Default RADIUS-Request", 0)
# RFC 2865 §5.41 and the IANA registry
NAS_PORT_TYPES: Final = _numbered("""
    Async Sync ISDN ISDN-V120 ISDN-V110 Virtual PIAFS HDLC-Clear-Channel X.25 X.75 G.3-Fax SDSL ADSL-CAP ADSL-DMT
    IDSL Ethernet xDSL Cable Wireless-Other Wireless-802.11 Token-Ring FDDI Wireless-CDMA2000 Wireless-UMTS
    Wireless-1X-EV IAPP FTTP Wireless-802.16 Wireless-802.20 Wireless-802.22 PPPoA PPPoEoA PPPoEoE PPPoEoVLAN
    PPPoEoQinQ xPON Wireless-XGP""", 0)  # fmt: skip
# RFC 2866 §5.1, §5.6, §5.10, RFC 2867 §3, RFC 3580 §2.4
ACCT_STATUS_TYPES: Final = _listed("""
    1 Start  2 Stop  3 Interim-Update  7 Accounting-On  8 Accounting-Off  9 Tunnel-Start  10 Tunnel-Stop
    11 Tunnel-Reject  12 Tunnel-Link-Start  13 Tunnel-Link-Stop  14 Tunnel-Link-Reject  15 Failed""")
ACCT_AUTHENTICS: Final = _numbered("RADIUS Local Remote Diameter")
TERMINATE_CAUSES: Final = _numbered("""
    User-Request Lost-Carrier Lost-Service Idle-Timeout Session-Timeout Admin-Reset Admin-Reboot Port-Error NAS-Error
    NAS-Request NAS-Reboot Port-Unneeded Port-Preempted Port-Suspended Service-Unavailable Callback User-Error
    Host-Request Supplicant-Restart Reauthentication-Failure Port-Reinit Port-Disabled""")
# RFC 2868 §3.1, §3.2, RFC 3580 §3.31
TUNNEL_TYPES: Final = _numbered("PPTP L2F L2TP ATMP VTP AH IP MIN-IP ESP GRE DVS IP-in-IP VLAN")
TUNNEL_MEDIUM_TYPES: Final = _numbered("""
    IPv4 IPv6 NSAP HDLC BBN-1822 IEEE-802 E.163 E.164 F.69 X.121 IPX Appletalk DecNet-IV Banyan-Vines E.164-NSAP""")
# RFC 2869 §5.6, §5.10
ARAP_ZONE_ACCESSES: Final = _listed("1 Default-Zone  2 Zone-Filter-Inclusive  4 Zone-Filter-Exclusive")
PROMPTS: Final = _numbered("No-Echo Echo", 0)
# RFC 4675 §2.2
INGRESS_FILTERS: Final = _numbered("Enabled Disabled")
# RFC 5176 §3.5
ERROR_CAUSES: Final = _listed("""
    201 Residual-Session-Context-Removed  202 Invalid-EAP-Packet  401 Unsupported-Attribute  402 Missing-Attribute
    403 NAS-Identification-Mismatch  404 Invalid-Request  405 Unsupported-Service  406 Unsupported-Extension
    407 Invalid-Attribute-Value  501 Administratively-Prohibited  502 Request-Not-Routable
    503 Session-Context-Not-Found  504 Session-Context-Not-Removable  505 Other-Proxy-Processing-Error
    506 Resources-Unavailable  507 Request-Initiated  508 Multiple-Session-Selection-Unsupported""")
# RFC 7499 §4.1
FRAG_STATUSES: Final = _numbered("Reserved Fragmentation-Supported More-Data-Pending More-Data-Request", 0)
# Vendors
MIKROTIK_WIRELESS_ALGORITHMS: Final = _numbered("No-encryption 40-bit-WEP 104-bit-WEP AES-CCM TKIP", 0)
MIKROTIK_VLAN_TYPES: Final = _numbered("802.1q 802.1ad", 0)
MPPE_POLICIES: Final = _numbered("Encryption-Allowed Encryption-Required")
MPPE_TYPES: Final = _listed("2 RC4-40bit-Allowed  4 RC4-128bit-Allowed  6 RC4-40or128-bit-Allowed")
MS_BAP_USAGES: Final = _numbered("Not-Allowed Allowed Required", 0)
MS_ARAP_CHANGE_REASONS: Final = _numbered("""
    Just-Change-Password Expired-Password Admin-Requires-Password-Change Password-Too-Short""")
MS_ACCT_AUTH_TYPES: Final = _numbered("PAP CHAP MS-CHAP-1 MS-CHAP-2 EAP")
MS_ACCT_EAP_TYPES: Final = _listed("4 MD5  5 OTP  6 Generic-Token-Card  13 TLS")
