"""Routers as they come: RouterOS 7 and 6 with the same customers, so that their records can be compared."""

from tests.mikrotik.standin.state import Router, Row

RADIUS_FIELDS = {
    *("service", "called-id", "domain", "address", "secret", "authentication-port", "accounting-port", "timeout"),
    *("accounting-backup", "realm", "src-address", "disabled", "comment", "certificate", "protocol"),
}
# Names that a client could turn into something else, end a field early with, or lose.
AWKWARD = (
    "true",
    "1234",
    "007",
    "no",
    'a;b=c "quoted" name="x"',
    "Žluťoučký 客户",
    "back\\slash $var ?",
    "two  spaces ",
)


def interface(number: int, name: str, kind: str = "ether", **more: str) -> Row:
    return {
        ".id": f"*{number:X}",
        "name": name,
        "type": kind,
        "mtu": "1500",
        "actual-mtu": "1500",
        "mac-address": f"02:00:00:00:00:{number:02X}",
        "link-downs": "3",
        "rx-byte": str(10_000_000_000 + number),
        "tx-byte": str(18_446_744_073_709_551_000 + number),
        "rx-packet": "158132",
        "tx-packet": "150015",
        "rx-drop": "0",
        "tx-drop": "1",
        "tx-queue-drop": "2",
        "rx-error": "0",
        "tx-error": "0",
        "running": "true",
        "dynamic": "false",
        "disabled": "false",
        **more,
    }


def ppp(number: int, name: str) -> Row:
    return {
        ".id": f"*8{number:05X}",
        "name": name,
        "service": "pppoe",
        "caller-id": f"02:AA:00:00:{number >> 8 & 255:02X}:{number & 255:02X}",
        "address": f"10.64.{number >> 8 & 255}.{number & 255}",
        "uptime": "1d8h8m10s",
        "encoding": "",
        "session-id": f"0x81D{number:05X}",
        "limit-bytes-in": "0",
        "limit-bytes-out": "0",
        "radius": "true",
    }


def _tables() -> dict[str, list[Row]]:
    return {
        "/interface": [
            interface(1, "ether1", comment="uplink; a=b"),
            interface(2, "ether3 UniFi1", running="false", disabled="true"),
            {
                key: value
                for key, value in interface(0xA, "<pppoe-true>", "pppoe-in", dynamic="true").items()
                if key not in ("rx-drop", "tx-drop", "rx-error", "tx-error", "tx-queue-drop", "mac-address")
            },
            interface(0xB, "bridge", "bridge", mtu="auto", comment="first line\nsecond line"),
        ],
        "/ppp/active": [ppp(number, name) for number, name in enumerate(AWKWARD, 1)],
        "/ip/hotspot/active": [
            {
                ".id": "*C0A80A02",
                "server": "hotspot1",
                "user": "00:11:22:33:44:55",
                "address": "192.168.10.2",
                "mac-address": "00:11:22:33:44:55",
                "uptime": "10m5s",
                "idle-time": "3s",
                "session-time-left": "49m55s",
                "bytes-in": "5000000000",
                "bytes-out": "60000000000",
                "login-by": "mac",
                "radius": "true",
            }
        ],
        "/ip/dhcp-server/lease": [
            {
                ".id": "*1",
                "address": "192.168.88.254",
                "mac-address": "02:BB:00:00:00:01",
                "client-id": "1:2:bb:0:0:0:1",
                "server": "defconf",
                "status": "bound",
                "expires-after": "8m55s",
                "last-seen": "1m5s",
                "active-address": "192.168.88.253",
                "active-mac-address": "02:BB:00:00:00:01",
                "active-server": "defconf",
                "host-name": "Galaxy S8",
                "dynamic": "true",
                "radius": "false",
                "disabled": "false",
            },
            {
                ".id": "*2",
                "address": "192.168.88.9",
                "mac-address": "02:BB:00:00:00:02",
                "server": "*1",
                "status": "waiting",
                "last-seen": "never",
                "dynamic": "false",
                "radius": "false",
                "disabled": "true",
            },
        ],
        "/queue/simple": [
            {
                ".id": "*1",
                "name": "<pppoe-true>",
                "target": "<pppoe-true>",
                "parent": "none",
                "max-limit": "10000000/50000000",
                "rate": "1536/27800",
                "bytes": "56480627/1300371837",
                "dynamic": "true",
                "disabled": "false",
                "invalid": "false",
            }
        ],
        "/radius": [
            {
                ".id": "*1",
                "service": "ppp,hotspot",
                "called-id": "",
                "domain": "",
                "address": "192.0.2.10",
                "secret": "canary radius secret",
                "authentication-port": "1812",
                "accounting-port": "1813",
                "timeout": "1s100ms",
                "src-address": "0.0.0.0",
                "protocol": "udp",
                "disabled": "false",
                "comment": "radiuscore",
            }
        ],
        "/ip/hotspot/profile": [
            {
                ".id": "*1",
                "name": "default",
                "use-radius": "true",
                "radius-accounting": "true",
                "radius-interim-update": "received",
            },
            {
                ".id": "*2",
                "name": "hsprof1",
                "use-radius": "false",
                "radius-accounting": "true",
                "radius-interim-update": "5m",
            },
        ],
        "/file": [],
        "/ip/hotspot": [{".id": "*1", "name": "hotspot1", "interface": "bridge", "profile": "hsprof1"}],
        "/ip/firewall/filter": [
            {".id": "*1", "chain": "input", "action": "accept", "connection-state": "established,related,untracked"},
            {".id": "*2", "chain": "input", "action": "accept", "protocol": "icmp"},
            {".id": "*3", "chain": "forward", "action": "accept", "connection-state": "established,related"},
        ],
        "/user": [{".id": "*1", "name": "admin", "group": "full", "address": "", "disabled": "false"}],
        "/user/group": [{".id": "*1", "name": "full", "policy": "local,telnet,ssh,ftp,reboot,read,write,policy,test"}],
    }


def _singles() -> dict[str, Row]:
    return {
        "/system/identity": {"name": "POP Žižkov; 1"},
        "/system/resource": {
            "uptime": "1w4d23h26m9s",
            "version": "7.16.2 (stable)",
            "build-time": "2024-11-26 12:09:40",
            "free-memory": "3950641152",
            "total-memory": "4227858432",
            "cpu": "ARM64",
            "cpu-count": "4",
            "cpu-frequency": "1200",
            "cpu-load": "7",
            "free-hdd-space": "106233856",
            "total-hdd-space": "135266304",
            "architecture-name": "arm64",
            "board-name": "CCR2004-16G-2S+",
            "platform": "MikroTik",
        },
        "/system/routerboard": {
            "routerboard": "true",
            "model": "CCR2004-16G-2S+",
            "serial-number": "HC00000000",
            "current-firmware": "7.16.2",
            "upgrade-firmware": "7.16.2",
        },
        "/radius/incoming": {"accept": "true", "port": "3799"},
        "/ppp/aaa": {"use-radius": "true", "accounting": "true", "interim-update": "5m"},
        "/system/clock": {
            "time": "10:00:47",
            "date": "2023-07-21",
            "time-zone-name": "Europe/Prague",
            "gmt-offset": "+02:00",
        },
        "/system/ntp/client": {"enabled": "true", "status": "synchronized"},
    }


def routeros7(version: str = "7.16.2 (stable)") -> Router:
    """A router of version 7: a row per sensor, `require-message-auth`."""
    router = Router(version, tables=_tables(), singles=_singles())
    router.singles["/system/resource"]["version"] = version
    router.tables["/radius"][0]["require-message-auth"] = "yes-for-request-resp"
    router.known["/radius"] = RADIUS_FIELDS | {"require-message-auth", "radsec-timeout"}
    router.known["/system/ntp/client"] = {"enabled", "servers", "mode", "vrf"}
    router.tables["/system/health"] = [
        {".id": "*E", "name": "temperature", "value": "46", "type": "C"},
        {".id": "*D", "name": "voltage", "value": "23.8", "type": "V"},
        {".id": "*1CE9", "name": "psu1-state", "value": "ok", "type": ""},
    ]
    return router


def routeros6(version: str = "6.48.6 (long-term)") -> Router:
    """A router of version 6: one row of sensors with tenths of a volt, old dates, no REST."""
    router = Router(version, tables=_tables(), singles=_singles())
    router.singles["/system/resource"]["version"] = version
    router.known["/radius"] = RADIUS_FIELDS
    router.singles["/system/health"] = {"voltage": "238", "temperature": "46", "psu1-state": "ok"}
    router.singles["/system/clock"]["date"] = "jul/21/2023"
    router.policies.discard("rest-api")
    router.known["/system/ntp/client"] = {"enabled", "primary-ntp", "secondary-ntp", "server-dns-names"}
    return router
