"""The ISP server, asked from Python: the specification's synchronous service, without sockets."""

from radiuscore.service.answers import Fault, Result
from radiuscore.service.database import ServiceError
from radiuscore.service.facade import MultiTenantRadiusService

__all__ = ["Fault", "MultiTenantRadiusService", "Result", "ServiceError"]
