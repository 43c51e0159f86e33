"""MikroTik's attributes, vendor 14988, one line each.

Where a name says recv or rx it is the router that receives: the customer's upload. Limits count octets.
"""

from typing import Final

from radiuscore.wire import names
from radiuscore.wire.attributes import VendorAttribute
from radiuscore.wire.values import INTEGER, IPV4, TEXT

VENDOR: Final = 14988

MIKROTIK_RECV_LIMIT: Final = VendorAttribute(VENDOR, 1, "Mikrotik-Recv-Limit", INTEGER)
MIKROTIK_XMIT_LIMIT: Final = VendorAttribute(VENDOR, 2, "Mikrotik-Xmit-Limit", INTEGER)
MIKROTIK_GROUP: Final = VendorAttribute(VENDOR, 3, "Mikrotik-Group", TEXT)
MIKROTIK_WIRELESS_FORWARD: Final = VendorAttribute(VENDOR, 4, "Mikrotik-Wireless-Forward", INTEGER)
MIKROTIK_WIRELESS_SKIP_DOT1X: Final = VendorAttribute(VENDOR, 5, "Mikrotik-Wireless-Skip-Dot1x", INTEGER)
MIKROTIK_WIRELESS_ENC_ALGO: Final = VendorAttribute(
    VENDOR, 6, "Mikrotik-Wireless-Enc-Algo", INTEGER, names=names.MIKROTIK_WIRELESS_ALGORITHMS
)
MIKROTIK_WIRELESS_ENC_KEY: Final = VendorAttribute(VENDOR, 7, "Mikrotik-Wireless-Enc-Key", TEXT, hidden=True)
MIKROTIK_RATE_LIMIT: Final = VendorAttribute(VENDOR, 8, "Mikrotik-Rate-Limit", TEXT)
MIKROTIK_REALM: Final = VendorAttribute(VENDOR, 9, "Mikrotik-Realm", TEXT)
MIKROTIK_HOST_IP: Final = VendorAttribute(VENDOR, 10, "Mikrotik-Host-IP", IPV4)
MIKROTIK_MARK_ID: Final = VendorAttribute(VENDOR, 11, "Mikrotik-Mark-Id", TEXT)
MIKROTIK_ADVERTISE_URL: Final = VendorAttribute(VENDOR, 12, "Mikrotik-Advertise-URL", TEXT)
MIKROTIK_ADVERTISE_INTERVAL: Final = VendorAttribute(VENDOR, 13, "Mikrotik-Advertise-Interval", INTEGER)
MIKROTIK_RECV_LIMIT_GIGAWORDS: Final = VendorAttribute(VENDOR, 14, "Mikrotik-Recv-Limit-Gigawords", INTEGER)
MIKROTIK_XMIT_LIMIT_GIGAWORDS: Final = VendorAttribute(VENDOR, 15, "Mikrotik-Xmit-Limit-Gigawords", INTEGER)
MIKROTIK_WIRELESS_PSK: Final = VendorAttribute(VENDOR, 16, "Mikrotik-Wireless-PSK", TEXT, hidden=True)
MIKROTIK_TOTAL_LIMIT: Final = VendorAttribute(VENDOR, 17, "Mikrotik-Total-Limit", INTEGER)
MIKROTIK_TOTAL_LIMIT_GIGAWORDS: Final = VendorAttribute(VENDOR, 18, "Mikrotik-Total-Limit-Gigawords", INTEGER)
MIKROTIK_ADDRESS_LIST: Final = VendorAttribute(VENDOR, 19, "Mikrotik-Address-List", TEXT)
MIKROTIK_WIRELESS_MPKEY: Final = VendorAttribute(VENDOR, 20, "Mikrotik-Wireless-MPKey", TEXT, hidden=True)
MIKROTIK_WIRELESS_COMMENT: Final = VendorAttribute(VENDOR, 21, "Mikrotik-Wireless-Comment", TEXT)
MIKROTIK_DELEGATED_IPV6_POOL: Final = VendorAttribute(VENDOR, 22, "Mikrotik-Delegated-IPv6-Pool", TEXT)
MIKROTIK_DHCP_OPTION_SET: Final = VendorAttribute(VENDOR, 23, "Mikrotik-DHCP-Option-Set", TEXT)
MIKROTIK_DHCP_OPTION_PARAM_STR1: Final = VendorAttribute(VENDOR, 24, "Mikrotik-DHCP-Option-Param-STR1", TEXT)
MIKROTIK_DHCP_OPTION_PARAM_STR2: Final = VendorAttribute(VENDOR, 25, "Mikrotik-DHCP-Option-Param-STR2", TEXT)
MIKROTIK_WIRELESS_VLANID: Final = VendorAttribute(VENDOR, 26, "Mikrotik-Wireless-VLANID", INTEGER)
MIKROTIK_WIRELESS_VLANID_TYPE: Final = VendorAttribute(
    VENDOR, 27, "Mikrotik-Wireless-VLANID-Type", INTEGER, names=names.MIKROTIK_VLAN_TYPES
)
MIKROTIK_WIRELESS_MINSIGNAL: Final = VendorAttribute(VENDOR, 28, "Mikrotik-Wireless-Minsignal", TEXT)
MIKROTIK_WIRELESS_MAXSIGNAL: Final = VendorAttribute(VENDOR, 29, "Mikrotik-Wireless-Maxsignal", TEXT)
MIKROTIK_SWITCHING_FILTER: Final = VendorAttribute(VENDOR, 30, "Mikrotik-Switching-Filter", TEXT)
