"""What accounting says of slots and leased addresses: a report keeps them, the session's end gives them back.

Only customers whose plan is strict or names a central pool have any. For the others this is two dict hits per report.
"""

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from radiuscore.aaa.accounting import AccountingEvent
from radiuscore.aaa.claims import held_without_news_s, strict_limit
from radiuscore.aaa.names import format_mac, parse_mac
from radiuscore.aaa.pools import NO_POOLS
from radiuscore.aaa.records import IspId
from radiuscore.state.replica import Replica
from radiuscore.store import leases, slots
from radiuscore.store.pool import Connection
from radiuscore.store.reports import Recorded, sent_at
from radiuscore.store.slots import Ended, Sign


class Held(NamedTuple):
    """What a customer's sessions hold."""

    slots: bool
    leases: bool


_NOTHING = Held(slots=False, leases=False)


class Holdings:
    """Follows the sessions of those customers who hold something, as the replica knows them now."""

    def __init__(self, replica: Replica) -> None:
        self._replica = replica

    async def follow(self, db: Connection, events: Sequence[AccountingEvent], recorded: Sequence[Recorded]) -> None:
        """Keep and give back what ``events`` say; ``recorded`` are their results, in order, and what else has ended.

        At most four statements, and none where nobody holds anything. Doing it again changes nothing.
        """
        kept: list[tuple[Held, Sign]] = []
        gone: list[tuple[Held, Ended]] = []
        for event, result in zip(events, recorded, strict=False):
            held = self._held_by(event.isp_id, event.username_key)
            if held is _NOTHING or event.customer_id is None:
                continue
            if result.state == "open" and result.id is not None:
                kept.append((held, _sign(event, result.id)))
            elif result.closed and event.session_uuid is not None:
                gone.append((held, Ended(event.isp_id, event.customer_id, UUID(bytes=event.session_uuid))))
        for result in recorded:
            if result.closed and result.id is not None and result.customer_id is not None:
                held = self._held_by(result.key[0], result.key[3])
                gone.append((held, Ended(result.key[0], result.customer_id, result.id)))
        await slots.free(db, {ended for held, ended in gone if held.slots})
        await leases.reclaim(db, {ended for held, ended in gone if held.leases})
        await slots.prolong(db, [sign for held, sign in kept if held.slots])
        await leases.prolong(db, [sign for held, sign in kept if held.leases])

    def _held_by(self, isp_id: IspId, username_key: str) -> Held:
        isp = self._replica.find_isp(isp_id)
        entry = isp.customers.get(username_key) if isp is not None else None
        if isp is None or entry is None or entry.customer.plan_id is None:
            return _NOTHING
        plan = isp.plans.get(entry.customer.plan_id)
        if plan is None or not plan.waits:
            return _NOTHING
        return Held(
            strict_limit(entry.customer, plan) is not None, plan.pools != NO_POOLS or plan.walled_pools != NO_POOLS
        )


def _sign(event: AccountingEvent, session_id: UUID) -> Sign:
    assert event.customer_id is not None
    mac = parse_mac(event.calling_station_id) if event.calling_station_id is not None else None
    return Sign(
        event.isp_id,
        event.customer_id,
        session_id,
        event.nas_id,
        event.acct_session_id,
        format_mac(mac) if mac is not None else None,
        sent_at(event) + held_without_news_s(event.interim_interval_s),
        *(
            None if address is None else str(address)
            for address in (event.framed_ip_address, event.framed_ipv6_prefix, event.delegated_ipv6_prefix)
        ),
    )
