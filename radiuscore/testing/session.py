"""One session of a customer at a fake NAS: what it reports, and what the server has done to it."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from ipaddress import IPv4Address
from time import monotonic
from typing import Final, TypeAlias

from radiuscore.aaa.names import text_of
from radiuscore.testing.routeros import Line, Usage, accounting_attributes
from radiuscore.wire.codes import AcctStatusType, TerminateCause
from radiuscore.wire.packet import Packet, Pair
from radiuscore.wire.rfc import ACCT_INTERIM_INTERVAL, CLASS

Report: TypeAlias = Callable[[Sequence[Pair], int], Awaitable[None]]


class FakeSession:
    """A session that the server has accepted. It reports only when told to: `start`, `interim`, `stop`.

    Each of the three returns once the server has acknowledged, and raises `NoReply` if it has not.
    ``changes`` are the CoA-Requests that were carried out; ``online`` ends with `stop` and with a Disconnect-Request.
    """

    def __init__(self, line: Line, accept: Packet, report: Report, on_end: Callable[["FakeSession"], None]) -> None:
        self.line: Final = line
        self.accept: Final = accept
        self.changes: Final[list[Packet]] = []
        self.online = True
        self.usage = Usage(0, 0, 0)
        self._report = report
        self._on_end = on_end
        self._classes = [CLASS(value) for value in CLASS.all(accept)]
        self._began = monotonic()
        self._hung_up = asyncio.Event()

    @property
    def username(self) -> str:
        return text_of(self.line.username)

    @property
    def acct_session_id(self) -> str:
        return self.line.session_id

    @property
    def framed_ip_address(self) -> IPv4Address:
        """The customer's address: the Access-Accept's, else one of the router's own pool."""
        return self.line.address

    @property
    def interim_interval_s(self) -> int | None:
        """How often the server wants to hear of the session; ``None`` leaves it to the router's setting."""
        return ACCT_INTERIM_INTERVAL.first(self.accept) or None

    async def start(self, *, delay_time: int = 0) -> None:
        """Report Start. ``delay_time`` is for how many seconds the router has tried to (Acct-Delay-Time)."""
        await self._send(AcctStatusType.START, None, None, delay_time)

    async def interim(
        self,
        *,
        input_octets: int | None = None,
        output_octets: int | None = None,
        session_time: int | None = None,
        delay_time: int = 0,
    ) -> None:
        """Report Interim-Update. Counters are totals since the session began; what is not given stays as it was.

        ``input_octets`` come from the customer, ``output_octets`` go to him; both may exceed 4 GiB.
        ``session_time`` is in seconds and is measured if it is not given.
        """
        self._count(input_octets, output_octets, session_time)
        await self._send(AcctStatusType.INTERIM_UPDATE, self.usage, None, delay_time)

    async def stop(
        self,
        *,
        input_octets: int | None = None,
        output_octets: int | None = None,
        session_time: int | None = None,
        terminate_cause: TerminateCause | None = None,
        delay_time: int = 0,
    ) -> None:
        """Report Stop, with counters as in `interim`.

        The cause is Admin-Reset after a Disconnect-Request and User-Request otherwise, unless it is given.
        """
        self._count(input_octets, output_octets, session_time)
        usual = TerminateCause.ADMIN_RESET if self._hung_up.is_set() else TerminateCause.USER_REQUEST
        self.end()
        await self._send(AcctStatusType.STOP, self.usage, terminate_cause or usual, delay_time)

    def hang_up(self) -> None:
        """End the session as a Disconnect-Request does. A router reports Stop then: call `stop`."""
        self.end()
        self._hung_up.set()

    def end(self) -> None:
        """End the session without a word to anybody."""
        self.online = False
        self._on_end(self)

    async def hung_up(self) -> None:
        """Wait until the server has disconnected the session."""
        await self._hung_up.wait()

    def _count(self, input_octets: int | None, output_octets: int | None, session_time: int | None) -> None:
        before = self.usage
        self.usage = Usage(
            int(monotonic() - self._began) if session_time is None else session_time,
            before.input_octets if input_octets is None else input_octets,
            before.output_octets if output_octets is None else output_octets,
        )

    async def _send(
        self, status: AcctStatusType, usage: Usage | None, cause: TerminateCause | None, delay_time: int
    ) -> None:
        await self._report([*accounting_attributes(self.line, status, usage, cause), *self._classes], delay_time)

    def __repr__(self) -> str:
        return f"FakeSession({self.acct_session_id}, {'online' if self.online else 'ended'})"
