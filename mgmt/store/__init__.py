"""The SQL of the management application: constants, and typed functions that run them; ``isp_id`` follows ``db``."""
