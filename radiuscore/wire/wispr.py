"""The attributes of public hotspots, vendor 14122, one line each. Bandwidths are in bit/s."""

from typing import Final

from radiuscore.wire.attributes import VendorAttribute
from radiuscore.wire.values import INTEGER, TEXT

VENDOR: Final = 14122

WISPR_LOCATION_ID: Final = VendorAttribute(VENDOR, 1, "WISPr-Location-ID", TEXT)
WISPR_LOCATION_NAME: Final = VendorAttribute(VENDOR, 2, "WISPr-Location-Name", TEXT)
WISPR_LOGOFF_URL: Final = VendorAttribute(VENDOR, 3, "WISPr-Logoff-URL", TEXT)
WISPR_REDIRECTION_URL: Final = VendorAttribute(VENDOR, 4, "WISPr-Redirection-URL", TEXT)
WISPR_BANDWIDTH_MIN_UP: Final = VendorAttribute(VENDOR, 5, "WISPr-Bandwidth-Min-Up", INTEGER)
WISPR_BANDWIDTH_MIN_DOWN: Final = VendorAttribute(VENDOR, 6, "WISPr-Bandwidth-Min-Down", INTEGER)
WISPR_BANDWIDTH_MAX_UP: Final = VendorAttribute(VENDOR, 7, "WISPr-Bandwidth-Max-Up", INTEGER)
WISPR_BANDWIDTH_MAX_DOWN: Final = VendorAttribute(VENDOR, 8, "WISPr-Bandwidth-Max-Down", INTEGER)
WISPR_SESSION_TERMINATE_TIME: Final = VendorAttribute(VENDOR, 9, "WISPr-Session-Terminate-Time", TEXT)
WISPR_SESSION_TERMINATE_END_OF_DAY: Final = VendorAttribute(VENDOR, 10, "WISPr-Session-Terminate-End-Of-Day", TEXT)
WISPR_BILLING_CLASS_OF_SERVICE: Final = VendorAttribute(VENDOR, 11, "WISPr-Billing-Class-Of-Service", TEXT)
