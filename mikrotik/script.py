"""The commands an operator pastes into a router so that its PPP and hotspot ask a RADIUS server. Pure text."""

from collections.abc import Sequence
from ipaddress import ip_address

from mikrotik.values import quote

COMMENT = "radiuscore"  # marks the entry that is ours, so that pasting again replaces it


def radius_script(
    server: str,
    secret: str,
    auth_port: int = 1812,
    acct_port: int = 1813,
    coa_port: int = 3799,
    *,
    services: Sequence[str] = ("ppp", "hotspot"),
    source: str | None = None,
) -> str:
    """Return RouterOS commands, one per line, for a router that is to use this server.

    ``server`` is the server's address, ``source`` the router's own address to send from (several uplinks, a tunnel).
    Other servers in the router's ``/radius`` list stay, before this one. Written for RouterOS 6.43 and 7:
    - ``timeout``: routers wait 0.3 to 1.1 s by themselves, too short for a server that is not in the same building.
    - ``interim-update`` counts only where an Accept names no interval; hotspot takes the Accept's only if told so.
    - ``require-message-auth`` exists from 7.15 and so is the last line: an older router refuses that line alone.

    Raises ValueError when an address is not one. (RouterOS manual: RADIUS; PPP AAA; Hotspot.)
    """
    address = ip_address(server)
    sending_from = "" if source is None else f" src-address={ip_address(source)}"
    mine = f"[find comment={COMMENT}]"
    lines = [
        f"/radius remove {mine}",
        f"/radius add service={','.join(services)} address={address} secret={quote(secret)}"
        f" authentication-port={auth_port} accounting-port={acct_port} timeout=3s{sending_from} comment={COMMENT}",
        f"/radius incoming set accept=yes port={coa_port}",
    ]
    if "ppp" in services:
        lines.append("/ppp aaa set use-radius=yes accounting=yes interim-update=5m")
    if "hotspot" in services:
        lines.append(
            "/ip hotspot profile set [find] use-radius=yes radius-accounting=yes radius-interim-update=received"
        )
    lines.append(f"/radius set {mine} require-message-auth=yes-for-request-resp")
    return "\n".join(lines) + "\n"
