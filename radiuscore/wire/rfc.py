"""The standard attributes, one line each. Those of tunnels are in `tunnel`, 241 to 246 in `extended`.

Times are seconds; Event-Timestamp counts them from 1970 by the NAS's clock.
"""

from typing import Final

from radiuscore.wire import names
from radiuscore.wire.attributes import Attribute
from radiuscore.wire.values import INTEGER, INTERFACE_ID, IPV4, IPV6, IPV6_PREFIX, OCTETS, TEXT, TIME

# RFC 2865
USER_NAME: Final = Attribute(1, "User-Name", TEXT)
USER_PASSWORD: Final = Attribute(2, "User-Password", OCTETS, hidden=True)
CHAP_PASSWORD: Final = Attribute(3, "CHAP-Password", OCTETS, hidden=True)
NAS_IP_ADDRESS: Final = Attribute(4, "NAS-IP-Address", IPV4)
NAS_PORT: Final = Attribute(5, "NAS-Port", INTEGER)
SERVICE_TYPE: Final = Attribute(6, "Service-Type", INTEGER, names=names.SERVICE_TYPES)
FRAMED_PROTOCOL: Final = Attribute(7, "Framed-Protocol", INTEGER, names=names.FRAMED_PROTOCOLS)
FRAMED_IP_ADDRESS: Final = Attribute(8, "Framed-IP-Address", IPV4)
FRAMED_IP_NETMASK: Final = Attribute(9, "Framed-IP-Netmask", IPV4)
FRAMED_ROUTING: Final = Attribute(10, "Framed-Routing", INTEGER, names=names.FRAMED_ROUTINGS)
FILTER_ID: Final = Attribute(11, "Filter-Id", TEXT)
FRAMED_MTU: Final = Attribute(12, "Framed-MTU", INTEGER)
FRAMED_COMPRESSION: Final = Attribute(13, "Framed-Compression", INTEGER, names=names.FRAMED_COMPRESSIONS)
LOGIN_IP_HOST: Final = Attribute(14, "Login-IP-Host", IPV4)
LOGIN_SERVICE: Final = Attribute(15, "Login-Service", INTEGER, names=names.LOGIN_SERVICES)
LOGIN_TCP_PORT: Final = Attribute(16, "Login-TCP-Port", INTEGER)
REPLY_MESSAGE: Final = Attribute(18, "Reply-Message", TEXT)
CALLBACK_NUMBER: Final = Attribute(19, "Callback-Number", TEXT)
CALLBACK_ID: Final = Attribute(20, "Callback-Id", TEXT)
FRAMED_ROUTE: Final = Attribute(22, "Framed-Route", TEXT)
FRAMED_IPX_NETWORK: Final = Attribute(23, "Framed-IPX-Network", INTEGER)
STATE: Final = Attribute(24, "State", OCTETS)
CLASS: Final = Attribute(25, "Class", OCTETS)
SESSION_TIMEOUT: Final = Attribute(27, "Session-Timeout", INTEGER)
IDLE_TIMEOUT: Final = Attribute(28, "Idle-Timeout", INTEGER)
TERMINATION_ACTION: Final = Attribute(29, "Termination-Action", INTEGER, names=names.TERMINATION_ACTIONS)
CALLED_STATION_ID: Final = Attribute(30, "Called-Station-Id", TEXT)
CALLING_STATION_ID: Final = Attribute(31, "Calling-Station-Id", TEXT)
NAS_IDENTIFIER: Final = Attribute(32, "NAS-Identifier", TEXT)
PROXY_STATE: Final = Attribute(33, "Proxy-State", OCTETS)
LOGIN_LAT_SERVICE: Final = Attribute(34, "Login-LAT-Service", TEXT)
LOGIN_LAT_NODE: Final = Attribute(35, "Login-LAT-Node", TEXT)
LOGIN_LAT_GROUP: Final = Attribute(36, "Login-LAT-Group", OCTETS)
FRAMED_APPLETALK_LINK: Final = Attribute(37, "Framed-AppleTalk-Link", INTEGER)
FRAMED_APPLETALK_NETWORK: Final = Attribute(38, "Framed-AppleTalk-Network", INTEGER)
FRAMED_APPLETALK_ZONE: Final = Attribute(39, "Framed-AppleTalk-Zone", TEXT)
CHAP_CHALLENGE: Final = Attribute(60, "CHAP-Challenge", OCTETS)
NAS_PORT_TYPE: Final = Attribute(61, "NAS-Port-Type", INTEGER, names=names.NAS_PORT_TYPES)
PORT_LIMIT: Final = Attribute(62, "Port-Limit", INTEGER)
LOGIN_LAT_PORT: Final = Attribute(63, "Login-LAT-Port", TEXT)

# RFC 2866
ACCT_STATUS_TYPE: Final = Attribute(40, "Acct-Status-Type", INTEGER, names=names.ACCT_STATUS_TYPES)
ACCT_DELAY_TIME: Final = Attribute(41, "Acct-Delay-Time", INTEGER)
ACCT_INPUT_OCTETS: Final = Attribute(42, "Acct-Input-Octets", INTEGER)
ACCT_OUTPUT_OCTETS: Final = Attribute(43, "Acct-Output-Octets", INTEGER)
ACCT_SESSION_ID: Final = Attribute(44, "Acct-Session-Id", TEXT)
ACCT_AUTHENTIC: Final = Attribute(45, "Acct-Authentic", INTEGER, names=names.ACCT_AUTHENTICS)
ACCT_SESSION_TIME: Final = Attribute(46, "Acct-Session-Time", INTEGER)
ACCT_INPUT_PACKETS: Final = Attribute(47, "Acct-Input-Packets", INTEGER)
ACCT_OUTPUT_PACKETS: Final = Attribute(48, "Acct-Output-Packets", INTEGER)
ACCT_TERMINATE_CAUSE: Final = Attribute(49, "Acct-Terminate-Cause", INTEGER, names=names.TERMINATE_CAUSES)
ACCT_MULTI_SESSION_ID: Final = Attribute(50, "Acct-Multi-Session-Id", TEXT)
ACCT_LINK_COUNT: Final = Attribute(51, "Acct-Link-Count", INTEGER)

# RFC 2867
ACCT_TUNNEL_CONNECTION: Final = Attribute(68, "Acct-Tunnel-Connection", TEXT)
ACCT_TUNNEL_PACKETS_LOST: Final = Attribute(86, "Acct-Tunnel-Packets-Lost", INTEGER)

# RFC 2869
ACCT_INPUT_GIGAWORDS: Final = Attribute(52, "Acct-Input-Gigawords", INTEGER)
ACCT_OUTPUT_GIGAWORDS: Final = Attribute(53, "Acct-Output-Gigawords", INTEGER)
EVENT_TIMESTAMP: Final = Attribute(55, "Event-Timestamp", TIME)
ARAP_PASSWORD: Final = Attribute(70, "ARAP-Password", OCTETS, hidden=True)
ARAP_FEATURES: Final = Attribute(71, "ARAP-Features", OCTETS)
ARAP_ZONE_ACCESS: Final = Attribute(72, "ARAP-Zone-Access", INTEGER, names=names.ARAP_ZONE_ACCESSES)
ARAP_SECURITY: Final = Attribute(73, "ARAP-Security", INTEGER)
ARAP_SECURITY_DATA: Final = Attribute(74, "ARAP-Security-Data", OCTETS, hidden=True)
PASSWORD_RETRY: Final = Attribute(75, "Password-Retry", INTEGER)
PROMPT: Final = Attribute(76, "Prompt", INTEGER, names=names.PROMPTS)
CONNECT_INFO: Final = Attribute(77, "Connect-Info", TEXT)
CONFIGURATION_TOKEN: Final = Attribute(78, "Configuration-Token", TEXT)
EAP_MESSAGE: Final = Attribute(79, "EAP-Message", OCTETS, hidden=True)
MESSAGE_AUTHENTICATOR: Final = Attribute(80, "Message-Authenticator", OCTETS)
ARAP_CHALLENGE_RESPONSE: Final = Attribute(84, "ARAP-Challenge-Response", OCTETS, hidden=True)
ACCT_INTERIM_INTERVAL: Final = Attribute(85, "Acct-Interim-Interval", INTEGER)
NAS_PORT_ID: Final = Attribute(87, "NAS-Port-Id", TEXT)
FRAMED_POOL: Final = Attribute(88, "Framed-Pool", TEXT)

# RFC 4372: an empty value asks for an identity
CHARGEABLE_USER_IDENTITY: Final = Attribute(89, "Chargeable-User-Identity", OCTETS, may_be_empty=True)

# RFC 3162
NAS_IPV6_ADDRESS: Final = Attribute(95, "NAS-IPv6-Address", IPV6)
FRAMED_INTERFACE_ID: Final = Attribute(96, "Framed-Interface-Id", INTERFACE_ID)
FRAMED_IPV6_PREFIX: Final = Attribute(97, "Framed-IPv6-Prefix", IPV6_PREFIX)
LOGIN_IPV6_HOST: Final = Attribute(98, "Login-IPv6-Host", IPV6)
FRAMED_IPV6_ROUTE: Final = Attribute(99, "Framed-IPv6-Route", TEXT)
FRAMED_IPV6_POOL: Final = Attribute(100, "Framed-IPv6-Pool", TEXT)

# RFC 4675
EGRESS_VLANID: Final = Attribute(56, "Egress-VLANID", INTEGER)
INGRESS_FILTERS: Final = Attribute(57, "Ingress-Filters", INTEGER, names=names.INGRESS_FILTERS)
EGRESS_VLAN_NAME: Final = Attribute(58, "Egress-VLAN-Name", TEXT)
USER_PRIORITY_TABLE: Final = Attribute(59, "User-Priority-Table", OCTETS)

# RFC 4849, RFC 7155, RFC 4072, RFC 5580
NAS_FILTER_RULE: Final = Attribute(92, "NAS-Filter-Rule", TEXT)
ORIGINATING_LINE_INFO: Final = Attribute(94, "Originating-Line-Info", OCTETS)
EAP_KEY_NAME: Final = Attribute(102, "EAP-Key-Name", OCTETS)
OPERATOR_NAME: Final = Attribute(126, "Operator-Name", TEXT)

# RFC 5176
ERROR_CAUSE: Final = Attribute(101, "Error-Cause", INTEGER, names=names.ERROR_CAUSES)

# RFC 4818
DELEGATED_IPV6_PREFIX: Final = Attribute(123, "Delegated-IPv6-Prefix", IPV6_PREFIX)

# RFC 6911
FRAMED_IPV6_ADDRESS: Final = Attribute(168, "Framed-IPv6-Address", IPV6)
DNS_SERVER_IPV6_ADDRESS: Final = Attribute(169, "DNS-Server-IPv6-Address", IPV6)
ROUTE_IPV6_INFORMATION: Final = Attribute(170, "Route-IPv6-Information", IPV6_PREFIX)
DELEGATED_IPV6_PREFIX_POOL: Final = Attribute(171, "Delegated-IPv6-Prefix-Pool", TEXT)
STATEFUL_IPV6_ADDRESS_POOL: Final = Attribute(172, "Stateful-IPv6-Address-Pool", TEXT)
