"""`MultiTenantRadiusService`: ordinary calls, answered by a thread with an event loop and connections of its own.

So it works from any thread and from inside a running loop, and needs no worker to be running.
"""

import asyncio
import atexit
import logging
import os
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError, Future
from ipaddress import IPv4Address, IPv6Address
from typing import Any, Final, Self, TypeAlias, TypeVar

from radiuscore.service.answers import CallFailed, Fault, Result, failure
from radiuscore.service.calls import read_attempt, read_usage
from radiuscore.service.core import TenantService
from radiuscore.service.database import ServiceError, Source, dsn_of, open_database
from radiuscore.store.pool import CannotConnect

T = TypeVar("T")
AnyAddress: TypeAlias = str | IPv4Address | IPv6Address

LOAD_TIMEOUT_S: Final = 60.0  # a million customers take about 10

_log: Final = logging.getLogger(__name__)


class MultiTenantRadiusService:
    """Logins and accounting of every ISP, decided and stored as `radiuscore serve` does, for programs.

    ``database`` is a connection string, an object with ``.get_bind().url`` such as SQLAlchemy's ``db.session``, or
    nothing: then the settings say where it is, and the embedded PostgreSQL is joined, or started if nobody runs it.
    Keys that open the stored secrets come from the settings too (ENCRYPTION_KEYS, or DATA_DIR) unless
    ``encryption_keys`` has them. ``accounting_database`` is the connection string of the accounting schema's server,
    if that is another one.

    It connects at the first call, or in ``with``; a program that forks may therefore make it before. Call `close`,
    or use it in ``with``: then the last logins reach the log. Its methods may be called from several threads at once.
    """

    def __init__(
        self,
        database: Any = None,
        *,
        accounting_database: str | None = None,
        encryption_keys: str | None = None,
    ) -> None:
        self._source = Source(dsn_of(database), dsn_of(accounting_database), encryption_keys)
        self._lock = threading.Lock()
        self._thread: _ServiceThread | None = None
        self._closed = False

    def __enter__(self) -> Self:
        """Connect and load the configuration.

        Raises `ServiceError`, `SettingsError`, `KeyFault` or `EmbeddedError` for what must be mended, and
        `CannotConnect` if the database is not there.
        """
        self._started()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Write what is still to be written, and close every connection. Safe to call again."""
        with self._lock:
            thread, self._thread, self._closed = self._thread, None, True
        atexit.unregister(self.close)
        if thread is not None and thread.usable:
            thread.stop()

    def authenticate_user(
        self,
        username: str | bytes,
        password: str | bytes,
        nas_ip: AnyAddress,
        isp_id: int | None = None,
        calling_station_id: str | None = None,
    ) -> Result:
        """Decide whether a customer may go online through the device at ``nas_ip``. No SQL; about 0.2 ms.

        Returns ``True`` with ``customer_id``, ``isp_id``, ``nas_id``, ``session_id`` (give it to `handle_accounting`)
        and ``attributes``, which a router would be told; or ``False`` with ``error``, a reason of a closed set, and
        ``message``. An empty password is a login by MAC address, which needs ``calling_station_id``.
        """
        given = {
            "username": username,
            "password": password,
            "nas_ip": nas_ip,
            "isp_id": isp_id,
            "calling_station_id": calling_station_id,
        }

        async def authenticate(service: TenantService) -> Result:
            return service.authenticate(read_attempt(given))

        return self._answer(authenticate)

    def handle_accounting(
        self,
        session_id: str,
        acct_type: str = "Stop",
        session_time: int | None = None,
        input_octets: int | None = None,
        output_octets: int | None = None,
        nas_ip: AnyAddress | None = None,
        username: str | bytes | None = None,
        isp_id: int | None = None,
        input_gigawords: int | None = None,
        output_gigawords: int | None = None,
        terminate_cause: int | str | None = None,
        framed_ip: str | IPv4Address | None = None,
        calling_station_id: str | None = None,
    ) -> Result:
        """Store that a session started, goes on or has ended, and return once it is durable.

        ``session_id`` is what `authenticate_user` returned, and then it is all that is needed; or a router's
        Acct-Session-Id, and where several sessions have that, ``nas_ip`` (``isp_id``, ``username``) must tell which.
        ``acct_type`` is ``Start``, ``Interim-Update`` or ``Stop``. Counters are totals since the session began:
        ``input_octets`` from the customer, ``output_octets`` to him, whole or with Gigawords beside them;
        ``session_time`` is in seconds. The same report twice counts once.

        Returns ``True`` with ``session_id``, ``acct_session_id``, ``isp_id`` and ``nas_id``; or ``False`` with
        ``error`` and ``message``.
        """
        given = {
            "session_id": session_id,
            "acct_type": acct_type,
            "session_time": session_time,
            "input_octets": input_octets,
            "output_octets": output_octets,
            "nas_ip": nas_ip,
            "username": username,
            "isp_id": isp_id,
            "input_gigawords": input_gigawords,
            "output_gigawords": output_gigawords,
            "terminate_cause": terminate_cause,
            "framed_ip": framed_ip,
            "calling_station_id": calling_station_id,
        }

        async def account(service: TenantService) -> Result:
            return await service.account(read_usage(given))

        return self._answer(account)

    def _answer(self, ask: "Callable[[TenantService], Coroutine[Any, Any, Result]]") -> Result:
        try:
            return self._started().call(ask)
        except CallFailed as error:
            return error.result
        except CannotConnect as error:
            return failure(Fault.DATABASE_UNAVAILABLE, f"The database cannot be reached ({error}).")

    def _started(self) -> "_ServiceThread":
        with self._lock:
            if self._closed:
                raise ServiceError("The service is closed.")
            if self._thread is None or not self._thread.usable:
                self._thread = _ServiceThread(self._source)
                atexit.register(self.close)
            return self._thread


class _ServiceThread:
    """One service in one thread. It ends with `stop`, with a fault that it logs, or with the process."""

    def __init__(self, source: Source) -> None:
        self._pid = os.getpid()
        self._opened: Future[TenantService] = Future()
        self._thread = threading.Thread(target=self._main, args=(source,), name="radius service", daemon=True)
        self._thread.start()
        self._service = self._opened.result()

    @property
    def usable(self) -> bool:
        """Whether it can be asked: not in a child process, which has no such thread, and not after its end."""
        return self._pid == os.getpid() and self._thread.is_alive()

    def call(self, ask: Callable[[TenantService], Coroutine[Any, Any, T]]) -> T:
        """Return what ``ask`` returns in the service's loop."""
        future = asyncio.run_coroutine_threadsafe(ask(self._service), self._loop)
        try:
            return future.result()
        except CancelledError:
            raise ServiceError("The service ended before it answered.") from None
        except BaseException:
            future.cancel()
            raise

    def stop(self) -> None:
        """End the service in good order, and wait for that."""
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def _main(self, source: Source) -> None:
        # Not asyncio.run: at the interpreter's end that cannot start the thread with which it ends the resolver's.
        loop = asyncio.new_event_loop()
        try:
            loop.run_until_complete(self._serve(source))
        except BaseException as error:  # noqa: BLE001  # who waits for the thread must hear of it, whatever it was
            if self._opened.done():
                _log.exception("the service failed; the next call starts another")
            else:
                self._opened.set_exception(error)
        finally:
            loop.close()

    async def _serve(self, source: Source) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        async with open_database(source) as database:
            service = TenantService(database)
            running = asyncio.create_task(service.run(self._stop))
            loaded = asyncio.create_task(service.loaded.wait())
            await asyncio.wait({running, loaded}, timeout=LOAD_TIMEOUT_S, return_when=asyncio.FIRST_COMPLETED)
            loaded.cancel()
            if service.loaded.is_set():
                self._opened.set_result(service)
            elif not running.done():
                running.cancel()
                raise ServiceError(f"The configuration could not be read in {LOAD_TIMEOUT_S:.0f} s: see the log.")
            await running
