"""Talks to MikroTik routers; knows no SQL, no RADIUS and none of our other packages. Licence: GPL-3.0-or-later."""
