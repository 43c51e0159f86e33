"""The four ways in. Each library is loaded when its way is first used: asyncssh and aiohttp take 0.25 s each."""

from typing import assert_never

from mikrotik.config import ConnectionType, MikroTikConnectionConfig
from mikrotik.transport import Transport


async def connect(config: MikroTikConnectionConfig, address: str) -> Transport:
    """Open a connection to ``address``, which was checked, and log in. Raises `MikroTikError`; cancelling closes."""
    match config.connection_type:
        case ConnectionType.API | ConnectionType.API_SSL:
            from mikrotik import api

            return await api.connect(config, address)
        case ConnectionType.SSH:
            from mikrotik import ssh

            return await ssh.connect(config, address)
        case ConnectionType.REST:
            from mikrotik import rest

            return await rest.connect(config, address)
    assert_never(config.connection_type)
