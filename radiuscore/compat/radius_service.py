"""``from radius_service import MultiTenantRadiusService``, as the specification writes it.

The build maps this file to the top level, and an editable install finds it through this folder.
"""

from radiuscore.service import MultiTenantRadiusService

__all__ = ["MultiTenantRadiusService"]
