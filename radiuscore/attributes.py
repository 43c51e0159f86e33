"""Every typed attribute by its constant: ``SESSION_TIMEOUT(3600)`` builds one, ``.first(packet)`` reads one.

The constants are the attributes' names in capitals; `registry` knows them by those names and by their numbers.
"""

# ruff: noqa: F403  (the tables are re-exported whole: `__all__` keeps the attributes and drops the rest)

from radiuscore.wire.ascend import *
from radiuscore.wire.attributes import Attribute, TypedAttribute, VendorAttribute
from radiuscore.wire.extended import *
from radiuscore.wire.extended import ExtendedAttribute
from radiuscore.wire.microsoft import *
from radiuscore.wire.mikrotik import *
from radiuscore.wire.rfc import *
from radiuscore.wire.tunnel import *
from radiuscore.wire.tunnel import Tagged, TaggedAttribute
from radiuscore.wire.wispr import *

__all__ = [name for name, value in list(globals().items()) if isinstance(value, TypedAttribute)]
__all__ += ["Attribute", "ExtendedAttribute", "Tagged", "TaggedAttribute", "TypedAttribute", "VendorAttribute"]
