"""What the sender counts, as Prometheus reads it."""

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from mgmt.react.sender import Sender
from radiuscore.wire.codes import Code


class SenderCollector(Collector):
    """Gives a sender's counters. They begin at 0 with the management process."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender

    def collect(self) -> Iterator[Metric]:
        counters = self._sender.client.counters
        yield _family(
            "radius_reactions",
            "Live sessions that were asked to change or to end, by what came of it; not_sent: it could not be asked",
            ("kind", "result"),
            {(str(kind), str(result) or "not_sent"): count for (kind, result), count in self._sender.sent.items()},
        )
        yield _family(
            "radius_dynauth_requests",
            "CoA-Requests and Disconnect-Requests, without retransmissions",
            ("type",),
            {(Code(code).name.lower(),): count for code, count in counters.requests.items()},
        )
        yield _family(
            "radius_dynauth_datagrams",
            "Datagrams that were sent to routers' ports for CoA",
            (),
            {(): counters.datagrams},
        )
        yield _family(
            "radius_dynauth_ignored",
            "Datagrams that were no answer, by reason",
            ("reason",),
            {(str(reason),): count for reason, count in counters.ignored.items()},
        )

    def describe(self) -> Iterator[Metric]:
        """Return nothing: asked at registration."""
        return iter(())


def _family(name: str, text: str, labels: tuple[str, ...], values: dict[tuple[str, ...], int]) -> Metric:
    family = CounterMetricFamily(name, text, labels=labels)
    for key, count in values.items():
        family.add_metric(key, count)
    return family
