"""``from mikrotik_client import ...``, the name the specification's sample uses; the code is in `mikrotik`."""

from mikrotik import ConnectionType, MikroTikClient, MikroTikConnectionConfig

__all__ = ["ConnectionType", "MikroTikClient", "MikroTikConnectionConfig"]
