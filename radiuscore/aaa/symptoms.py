"""What the auth log shows when nobody was rejected and yet nobody is online: accepts that no session follows.

A router that drops a reply says nothing; the customer's device dials again, and is accepted again.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable
from typing import Final, NamedTuple

from radiuscore.aaa.authlog import AuthLogRow
from radiuscore.aaa.reasons import Meaning
from radiuscore.aaa.records import IspId, NasId

REPEATED: Final = 3  # a customer whose line is bad may dial twice

SECRET_DIFFERS: Final = Meaning(
    "The router drops every answer of this server: customers are accepted again and again, and none comes online.",
    "Enter the same RADIUS secret on the router and here.",
)
REPLIES_DROPPED: Final = Meaning(
    "The router does not get, or drops, every answer of this server: customers are accepted again and again, and none"
    " comes online. Its secret is right, for passwords arrive in clear.",
    "Look for a firewall or NAT between this server and the router, and whether the answers come from the address in"
    " the router's /radius entry.",
)
LOGIN_FAILS: Final = Meaning(
    "The router accepts answers for others, but cannot put this one into force: the customer is accepted again and"
    " again, and does not come online.",
    "Look at the router's log; a pool, profile or address list of the plan that the router does not have is the usual"
    " reason.",
)


class UnusedAccepts(NamedTuple):
    """Accepts that no session followed. ``username`` is ``None`` where it is so for all customers of the router."""

    isp_id: IspId
    nas_id: NasId
    username: str | None
    accepts: int
    meaning: Meaning


class _Customer:
    __slots__ = ("accepts", "came_online", "methods")

    def __init__(self) -> None:
        self.accepts = 0
        self.came_online = False
        self.methods: set[str] = set()


def find_unused_accepts(rows: Iterable[AuthLogRow], reported: Collection[bytes]) -> list[UnusedAccepts]:
    """Return which routers, and which customers of others, were accepted three times or more and never came online.

    ``rows`` are logins of some minutes, without those too young to be reported; ``reported`` are the UUIDs (16 octets)
    of sessions that routers have reported. O(n) in rows.
    """
    routers: defaultdict[tuple[IspId, NasId], defaultdict[str, _Customer]] = defaultdict(lambda: defaultdict(_Customer))
    for row in rows:
        if row.outcome == "accept":
            customer = routers[row.isp_id, row.nas_id][row.username]
            customer.accepts += 1
            customer.came_online |= row.session_uuid in reported
            customer.methods.add(row.method)
    found: list[UnusedAccepts] = []
    for (isp_id, nas_id), customers in routers.items():
        failing = {name: one for name, one in customers.items() if one.accepts >= REPEATED and not one.came_online}
        if failing and not any(one.came_online for one in customers.values()):
            accepts = sum(one.accepts for one in failing.values())
            found.append(UnusedAccepts(isp_id, nas_id, None, accepts, _meaning_for_all(failing.values())))
        else:
            found += (UnusedAccepts(isp_id, nas_id, name, one.accepts, LOGIN_FAILS) for name, one in failing.items())
    return found


def _meaning_for_all(failing: Iterable[_Customer]) -> Meaning:
    """Tell a wrong secret from a lost reply: a PAP password is hidden with the secret, and was read here."""
    return REPLIES_DROPPED if any("pap" in one.methods for one in failing) else SECRET_DIFFERS
