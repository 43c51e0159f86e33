"""`MikroTikClient`: the same client for programs without an event loop. Results are plain dicts and lists.

It owns a thread with a loop of its own, so it works from any thread and inside a running loop (which it blocks).
"""

import asyncio
import threading
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Self, TypeVar

from mikrotik.client import AsyncMikroTikClient
from mikrotik.config import MikroTikConnectionConfig
from mikrotik.records import as_dict
from mikrotik.transport import Peer

T = TypeVar("T")


class MikroTikClient:
    """Asks one router; the connection is opened by the first call. Raises `MikroTikError` (see `test_connection`).

    Use it with ``with``, or call `close`. Threads may share one; their calls take turns.
    """

    def __init__(self, config: MikroTikConnectionConfig) -> None:
        self.config = config
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._client: AsyncMikroTikClient | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection and end the thread; a later call starts anew."""
        with self._lock:
            loop, thread, client = self._loop, self._thread, self._client
            self._loop = self._thread = self._client = None
        if loop is not None and thread is not None and client is not None:
            asyncio.run_coroutine_threadsafe(client.close(), loop).result()
            loop.call_soon_threadsafe(loop.stop)
            thread.join()

    @property
    def peer(self) -> Peer | None:
        """Whom the open connection reached, and by what it can be pinned."""
        return None if self._client is None else self._client.peer

    def test_connection(self) -> dict[str, Any]:
        """Return ``{"success": True, "connection_type", "latency_ms", "identity", "version", "board_name", ...}``.

        On failure ``{"success": False, "connection_type", "error", "message", "hint"}``: ``error`` is a code of
        `mikrotik.errors`. Never raises `MikroTikError`.
        """
        result: dict[str, Any] = as_dict(self._call(self._asked().test_connection()))
        return {name: value for name, value in result.items() if value is not None}

    def get_device_info(self) -> dict[str, Any]:
        """Return the fields of `DeviceInfo` and of its `Resources`, in one dict."""
        info: dict[str, Any] = as_dict(self._call(self._asked().get_device_info()))
        return {**info.pop("resources"), **info}

    def get_interface_stats(self) -> list[dict[str, Any]]:
        """Return one dict per interface with the fields of `InterfaceStats`."""
        return self._list(self._asked().get_interface_stats())

    def get_resources(self) -> dict[str, Any]:
        """Return the fields of `Resources`."""
        return self._dict(self._asked().get_resources())

    def get_health(self) -> list[dict[str, Any]]:
        """Return one dict per sensor with the fields of `HealthReading`."""
        return self._list(self._asked().get_health())

    def get_active_sessions(self) -> dict[str, Any]:
        """Return lists under ``ppp``, ``hotspot`` and ``dhcp``."""
        return self._dict(self._asked().get_active_sessions())

    def get_client_counts(self) -> dict[str, Any]:
        """Return how many are online under ``ppp``, ``hotspot`` and ``dhcp``."""
        return self._dict(self._asked().get_client_counts())

    def get_queues(self) -> list[dict[str, Any]]:
        """Return one dict per simple queue with the fields of `SimpleQueue`."""
        return self._list(self._asked().get_queues())

    def get_radius_settings(self) -> dict[str, Any]:
        """Return the fields of `RadiusSettings`, without secrets."""
        return self._dict(self._asked().get_radius_settings())

    def export(self, *, show_sensitive: bool = False) -> str:
        """Return the configuration as text."""
        return self._call(self._asked().export(show_sensitive=show_sensitive))

    def _dict(self, question: Coroutine[Any, Any, object]) -> dict[str, Any]:
        result: dict[str, Any] = as_dict(self._call(question))
        return result

    def _list(self, question: Coroutine[Any, Any, object]) -> list[dict[str, Any]]:
        result: list[dict[str, Any]] = as_dict(self._call(question))
        return result

    def _asked(self) -> AsyncMikroTikClient:
        with self._lock:
            if self._client is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(
                    target=_run, args=(self._loop,), name=f"mikrotik {self.config.host}", daemon=True
                )
                self._thread.start()
                self._client = AsyncMikroTikClient(self.config)
            return self._client

    def _call(self, question: Coroutine[Any, Any, T]) -> T:
        loop = self._loop
        if loop is None:
            question.close()
            raise RuntimeError("the client was closed by another thread")
        future = asyncio.run_coroutine_threadsafe(question, loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise


def _run(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
    finally:
        loop.close()
