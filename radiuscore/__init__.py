"""A RADIUS server that many ISPs share, as a library.

Importing this package loads no database driver and no web server; names that need one are loaded when they are used.
"""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

from radiuscore.aaa.accounting import AccountingEvent
from radiuscore.aaa.decisions import Accept, Reject, RejectReason
from radiuscore.aaa.records import MessageAuthenticatorPolicy, Nas
from radiuscore.aaa.requests import AccessRequest
from radiuscore.engine.exchange import NotDurable
from radiuscore.library import RadiusServer
from radiuscore.wire.codes import AcctStatusType
from radiuscore.wire.errors import Discard

if TYPE_CHECKING:
    from radiuscore.service import MultiTenantRadiusService

__version__: Final = version("radiuscore")
__all__ = [
    "Accept",
    "AccessRequest",
    "AccountingEvent",
    "AcctStatusType",
    "Discard",
    "MessageAuthenticatorPolicy",
    "MultiTenantRadiusService",
    "Nas",
    "NotDurable",
    "RadiusServer",
    "Reject",
    "RejectReason",
]

_LAZY: Final = {"MultiTenantRadiusService": "radiuscore.service"}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'radiuscore' has no attribute {name!r}")
