"""Microsoft's attributes, vendor 311, one line each (RFC 2548; from 34 on what Windows added).

What proves or hides a password is never shown. Keys travel encrypted: `mppe` builds them.
"""

from typing import Final

from radiuscore.wire import names
from radiuscore.wire.attributes import VendorAttribute
from radiuscore.wire.values import INTEGER, IPV4, IPV6, OCTETS, TEXT

VENDOR: Final = 311

MS_CHAP_RESPONSE: Final = VendorAttribute(VENDOR, 1, "MS-CHAP-Response", OCTETS, hidden=True)
MS_CHAP_ERROR: Final = VendorAttribute(VENDOR, 2, "MS-CHAP-Error", OCTETS)
MS_CHAP_CPW_1: Final = VendorAttribute(VENDOR, 3, "MS-CHAP-CPW-1", OCTETS, hidden=True)
MS_CHAP_CPW_2: Final = VendorAttribute(VENDOR, 4, "MS-CHAP-CPW-2", OCTETS, hidden=True)
MS_CHAP_LM_ENC_PW: Final = VendorAttribute(VENDOR, 5, "MS-CHAP-LM-Enc-PW", OCTETS, hidden=True)
MS_CHAP_NT_ENC_PW: Final = VendorAttribute(VENDOR, 6, "MS-CHAP-NT-Enc-PW", OCTETS, hidden=True)
MS_MPPE_ENCRYPTION_POLICY: Final = VendorAttribute(
    VENDOR, 7, "MS-MPPE-Encryption-Policy", INTEGER, names=names.MPPE_POLICIES
)
MS_MPPE_ENCRYPTION_TYPES: Final = VendorAttribute(
    VENDOR, 8, "MS-MPPE-Encryption-Types", INTEGER, names=names.MPPE_TYPES
)
MS_RAS_VENDOR: Final = VendorAttribute(VENDOR, 9, "MS-RAS-Vendor", INTEGER)
MS_CHAP_DOMAIN: Final = VendorAttribute(VENDOR, 10, "MS-CHAP-Domain", OCTETS)
MS_CHAP_CHALLENGE: Final = VendorAttribute(VENDOR, 11, "MS-CHAP-Challenge", OCTETS)
MS_CHAP_MPPE_KEYS: Final = VendorAttribute(VENDOR, 12, "MS-CHAP-MPPE-Keys", OCTETS, hidden=True)
MS_BAP_USAGE: Final = VendorAttribute(VENDOR, 13, "MS-BAP-Usage", INTEGER, names=names.MS_BAP_USAGES)
MS_LINK_UTILIZATION_THRESHOLD: Final = VendorAttribute(VENDOR, 14, "MS-Link-Utilization-Threshold", INTEGER)
MS_LINK_DROP_TIME_LIMIT: Final = VendorAttribute(VENDOR, 15, "MS-Link-Drop-Time-Limit", INTEGER)
MS_MPPE_SEND_KEY: Final = VendorAttribute(VENDOR, 16, "MS-MPPE-Send-Key", OCTETS, hidden=True)
MS_MPPE_RECV_KEY: Final = VendorAttribute(VENDOR, 17, "MS-MPPE-Recv-Key", OCTETS, hidden=True)
MS_RAS_VERSION: Final = VendorAttribute(VENDOR, 18, "MS-RAS-Version", TEXT)
MS_OLD_ARAP_PASSWORD: Final = VendorAttribute(VENDOR, 19, "MS-Old-ARAP-Password", OCTETS, hidden=True)
MS_NEW_ARAP_PASSWORD: Final = VendorAttribute(VENDOR, 20, "MS-New-ARAP-Password", OCTETS, hidden=True)
MS_ARAP_PW_CHANGE_REASON: Final = VendorAttribute(
    VENDOR, 21, "MS-ARAP-PW-Change-Reason", INTEGER, names=names.MS_ARAP_CHANGE_REASONS
)
MS_FILTER: Final = VendorAttribute(VENDOR, 22, "MS-Filter", OCTETS)
MS_ACCT_AUTH_TYPE: Final = VendorAttribute(VENDOR, 23, "MS-Acct-Auth-Type", INTEGER, names=names.MS_ACCT_AUTH_TYPES)
MS_ACCT_EAP_TYPE: Final = VendorAttribute(VENDOR, 24, "MS-Acct-EAP-Type", INTEGER, names=names.MS_ACCT_EAP_TYPES)
MS_CHAP2_RESPONSE: Final = VendorAttribute(VENDOR, 25, "MS-CHAP2-Response", OCTETS, hidden=True)
MS_CHAP2_SUCCESS: Final = VendorAttribute(VENDOR, 26, "MS-CHAP2-Success", OCTETS, hidden=True)
MS_CHAP2_CPW: Final = VendorAttribute(VENDOR, 27, "MS-CHAP2-CPW", OCTETS, hidden=True)
MS_PRIMARY_DNS_SERVER: Final = VendorAttribute(VENDOR, 28, "MS-Primary-DNS-Server", IPV4)
MS_SECONDARY_DNS_SERVER: Final = VendorAttribute(VENDOR, 29, "MS-Secondary-DNS-Server", IPV4)
MS_PRIMARY_NBNS_SERVER: Final = VendorAttribute(VENDOR, 30, "MS-Primary-NBNS-Server", IPV4)
MS_SECONDARY_NBNS_SERVER: Final = VendorAttribute(VENDOR, 31, "MS-Secondary-NBNS-Server", IPV4)
MS_RAS_CLIENT_NAME: Final = VendorAttribute(VENDOR, 34, "MS-RAS-Client-Name", TEXT)
MS_RAS_CLIENT_VERSION: Final = VendorAttribute(VENDOR, 35, "MS-RAS-Client-Version", TEXT)
MS_USER_IPV4_ADDRESS: Final = VendorAttribute(VENDOR, 61, "MS-User-IPv4-Address", IPV4)
MS_USER_IPV6_ADDRESS: Final = VendorAttribute(VENDOR, 62, "MS-User-IPv6-Address", IPV6)
