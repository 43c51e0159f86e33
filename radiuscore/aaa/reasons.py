"""Every reason for a reject in one sentence that an operator understands, with what most likely cures it: a table."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from radiuscore.aaa.decisions import RejectReason


class Meaning(NamedTuple):
    """What a reason says, and what most likely helps; each is a sentence or two for staff, never for the customer."""

    sentence: str
    cure: str


MEANINGS: Final[Mapping[RejectReason, Meaning]] = MappingProxyType(
    {
        RejectReason.UNKNOWN_USER: Meaning(
            "Nobody has this username.",
            "Look for a typing error, or create the customer. A hotspot that tries a device's MAC address before it"
            " shows the login page is no fault.",
        ),
        RejectReason.BAD_CREDENTIALS: Meaning(
            "The password is not the customer's.",
            "Set the password again, here and on the customer's device. If nobody gets in through this router, its"
            " RADIUS secret is not the one that is entered here.",
        ),
        RejectReason.NO_CREDENTIALS: Meaning(
            "The router sent no password with this login, or one that cannot be read.",
            "Allow PAP, CHAP or MS-CHAPv2 in the router's server or profile, and look at the customer's device.",
        ),
        RejectReason.UNSUPPORTED_METHOD: Meaning(
            "The device asked for EAP, which this server does not offer.",
            "Set it to PAP, CHAP or MS-CHAPv2, or use a hotspot login instead of WPA Enterprise.",
        ),
        RejectReason.BAD_REQUEST: Meaning(
            "The router sent a login without a username.",
            "Look at the customer's device: its username is empty.",
        ),
        RejectReason.ISP_SUSPENDED: Meaning(
            "The ISP is suspended, so none of its customers may log in.",
            "Ask the administrator of this server to activate the ISP.",
        ),
        RejectReason.SUSPENDED: Meaning(
            "The account is suspended.",
            "Set its status to active.",
        ),
        RejectReason.UNPAID: Meaning(
            "An invoice is unpaid, and the plan does not let such customers in.",
            "Enter the payment; a plan with a walled garden would show the customer where to pay.",
        ),
        RejectReason.EXPIRED: Meaning(
            "The account has expired, and the plan does not let such customers in.",
            "Set a later expiry; a plan with a walled garden would show the customer how to renew.",
        ),
        RejectReason.NO_PLAN: Meaning(
            "The account has no service plan, so nothing says what the customer should get.",
            "Give the customer a plan.",
        ),
        RejectReason.MAC_NOT_ALLOWED: Meaning(
            "The account is locked to other devices than the one that was used.",
            "Add the device's MAC address to the account, or remove the lock. Phones make up a new MAC address for each"
            " network unless that is turned off.",
        ),
        RejectReason.DEVICE_NOT_ALLOWED: Meaning(
            "The account may not be used through this router.",
            "Add the router to the account, or remove the restriction.",
        ),
        RejectReason.OUTSIDE_LOGIN_HOURS: Meaning(
            "The plan does not allow logins at this time of the week.",
            "Wait until its hours begin, or change the plan's login hours and the ISP's time zone if that is wrong.",
        ),
        RejectReason.QUOTA_EXHAUSTED: Meaning(
            "The quota of this period is used up, and the plan blocks then.",
            "Sell a top-up, or wait for the next period; a plan that throttles would keep the customer online.",
        ),
        RejectReason.TOO_MANY_SESSIONS: Meaning(
            "The account is online as often as it may be.",
            "End one of its sessions, or allow more. If the customer says that he is not online, his last session was"
            " lost without a word and is closed as soon as its reports stay out.",
        ),
        RejectReason.POOL_EXHAUSTED: Meaning(
            "Every address of the central pool that the plan names is taken.",
            "Give the pool a larger range. Addresses come back when sessions end, or after three intervals of silence.",
        ),
        RejectReason.REPLY_TOO_LONG: Meaning(
            "What the customer should get does not fit into one RADIUS packet of 4096 octets.",
            "Give the customer fewer or shorter routes.",
        ),
    }
)

ANOTHER_REASON: Final = Meaning("The login was rejected by a rule of this installation's own.", "Ask who wrote it.")


def meaning_of(reason: str) -> Meaning:
    """Return what a reason of the auth log means; a library's own handlers may have reasons that are not in the set."""
    return MEANINGS[RejectReason(reason)] if reason in _KNOWN else ANOTHER_REASON


_KNOWN: Final = frozenset(reason.value for reason in RejectReason)
