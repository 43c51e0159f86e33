"""What one worker has to report: its parts' plain integers, gathered once a second into samples (see `metrics`)."""

from collections.abc import Mapping, Sequence
from time import time
from typing import Final

from radiuscore.engine.counters import Counters
from radiuscore.engine.engine import Engine
from radiuscore.server.accounting_writer import AccountingWriter
from radiuscore.server.channel import Channel
from radiuscore.server.config import Server
from radiuscore.server.deferred_writer import LoginLog
from radiuscore.server.histogram import BOUNDS_S, Histogram
from radiuscore.server.listener import Listener
from radiuscore.server.metrics import Samples, label
from radiuscore.server.reservations import Reservations
from radiuscore.server.spooling_ledger import SpoolingLedger
from radiuscore.wire.codes import Code

_CODES: Final = {int(code): code.name.lower() for code in Code}
_BUCKETS: Final = (*(str(bound) for bound in BOUNDS_S), "+Inf")


class Meter:
    """Reads the counters of a worker's parts; nothing here is on the way of a packet."""

    def __init__(
        self,
        engine: Engine,
        listeners: Mapping[Server, Sequence[Listener]],
        writer: AccountingWriter,
        ledger: SpoolingLedger,
        logins: LoginLog,
        reservations: Reservations,
        channel: Channel,
    ) -> None:
        self._ports: Final[dict[Server, Counters]] = {"auth": engine.auth.counters, "acct": engine.acct.counters}
        self._listeners = listeners
        self._writer = writer
        self._ledger = ledger
        self._logins = logins
        self._reservations = reservations
        self._channel = channel

    def counters(self) -> Samples:
        """Return what this process has counted since it began."""
        samples: Samples = {
            "radius_requests": {},
            "radius_replies": {},
            "radius_discards": {},
            "radius_duplicates": {},
            "radius_send_failures": {},
        }
        for server, port in self._ports.items():
            for code, count in port.requests.items():
                samples["radius_requests"][label(server, _CODES.get(code, str(code)))] = count
            for code, count in port.replies.items():
                samples["radius_replies"][label(server, _CODES.get(code, str(code)))] = count
            for reason, count in port.discards.items():
                samples["radius_discards"][label(server, reason.value)] = count
            samples["radius_duplicates"][server] = port.duplicates
            samples["radius_send_failures"][server] = sum(one.refused for one in self._listeners[server])
        samples["radius_rejects"] = {label(reason): count for reason, count in self._ports["auth"].rejects.items()}
        return samples | self._durations() | self._stored()

    def kernel_drops(self) -> Samples:
        """Return the kernel's own counts, which a successor finds in its sockets."""
        return {
            "radius_kernel_drops": {
                server: sum(one.kernel_drops() for one in listeners) for server, listeners in self._listeners.items()
            }
        }

    def gauges(self) -> Samples:
        """Return what is so at this moment."""
        return {
            "radius_accounting_queue_length": {"": self._writer.queued},
            "radius_accounting_spooling": {"": int(self._ledger.spooling)},
            "radius_accounting_spool_broken": {"": int(self._ledger.broken is not None)},
            "radius_accounting_spool_records": {"": self._ledger.depth},
            "radius_accounting_spool_age_seconds": {"": self._spool_age_s()},
            "radius_in_flight": {
                server: sum(one.in_flight for one in listeners) for server, listeners in self._listeners.items()
            },
        }

    def _spool_age_s(self) -> float:
        oldest = self._ledger.oldest_at
        return 0.0 if oldest is None else round(max(0.0, time() - oldest), 1)

    def _durations(self) -> Samples:
        buckets: dict[str, int | float] = {}
        sums: dict[str, int | float] = {}
        for server, listeners in self._listeners.items():
            histograms: list[Histogram] = [one.durations for one in listeners]
            for number, bound in enumerate(_BUCKETS):
                buckets[label(server, bound)] = sum(one.counts[number] for one in histograms)
            sums[server] = sum(one.total_us for one in histograms)
        return {"radius_request_duration_seconds_bucket": buckets, "radius_request_duration_seconds_sum_us": sums}

    def _stored(self) -> Samples:
        writer, logins, reservations = self._writer, self._logins, self._reservations
        return {
            "radius_accounting_records": {
                "recorded": writer.recorded,
                "given_up": writer.given_up,
                "refused": writer.refused,
            },
            "radius_accounting_batches": {"": writer.batches},
            "radius_accounting_replayed": {"": self._ledger.replayed},
            "radius_accounting_set_aside": {"": self._ledger.set_aside},
            "radius_accounting_not_stored": {"": self._ports["acct"].not_stored},
            "radius_login_log_rows": {
                "written": logins.written,
                "dropped": logins.dropped,
                "refused": logins.refused,
            },
            "radius_reservations": {
                "reserved": reservations.reserved,
                "refused": reservations.refused,
                "unguarded": reservations.unguarded,
                "unanswered": reservations.unanswered,
            },
            "radius_channel_dropped": {"": self._channel.dropped},
        }
