"""Test a RADIUS set-up with a router that is none: `FakeNas` logs customers in, reports usage, and answers CoA.

It speaks as RouterOS does, checks every reply as a router would, and needs nothing but a UDP socket.
"""

from radiuscore.testing.credentials import BadProof, Method
from radiuscore.testing.dynauth import Ack, Answer, DynAuthRequest, Nak, answer_as_routeros
from radiuscore.testing.link import NoReply
from radiuscore.testing.nas import ROUTEROS_TIMEOUT_S, ROUTEROS_TRIES, FakeNas, Login
from radiuscore.testing.routeros import Service, Usage
from radiuscore.testing.session import FakeSession

__all__ = [
    "ROUTEROS_TIMEOUT_S",
    "ROUTEROS_TRIES",
    "Ack",
    "Answer",
    "BadProof",
    "DynAuthRequest",
    "FakeNas",
    "FakeSession",
    "Login",
    "Method",
    "Nak",
    "NoReply",
    "Service",
    "Usage",
    "answer_as_routeros",
]
