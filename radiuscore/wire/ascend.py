"""The two attributes of vendor 529 that RouterOS reads, in bit/s: the rates of the customer's up- and download."""

from typing import Final

from radiuscore.wire.attributes import VendorAttribute
from radiuscore.wire.values import INTEGER

VENDOR: Final = 529

ASCEND_DATA_RATE: Final = VendorAttribute(VENDOR, 197, "Ascend-Data-Rate", INTEGER)
ASCEND_XMIT_RATE: Final = VendorAttribute(VENDOR, 255, "Ascend-Xmit-Rate", INTEGER)
