"""The workers' samples as Prometheus reads them. Only the management process imports this."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from radiuscore.server.channel_server import WorkerReport
from radiuscore.server.metrics import FAMILIES, Family

_NOTHING: Final[dict[str, int | float]] = {}


class WorkerCollector(Collector):
    """Gives the last report of every worker, each with the label ``worker``.

    Nothing is summed here: while a management process that was restarted has heard of only some workers, a sum would
    be lower than before, and a counter must not be.
    """

    def __init__(self, reports: Callable[[], Iterable[WorkerReport]]) -> None:
        self._reports = reports

    def collect(self) -> Iterator[Metric]:
        reports = sorted(self._reports(), key=lambda report: report.worker)
        yield from (_render(family, reports) for family in FAMILIES)

    def describe(self) -> Iterator[Metric]:
        """Return nothing: asked at registration, when no worker has reported yet."""
        return iter(())


def _render(family: Family, reports: Iterable[WorkerReport]) -> Metric:
    labels = ("worker", *family.labels)
    if family.kind == "histogram":
        return _render_histogram(family, labels, reports)
    metric: CounterMetricFamily | GaugeMetricFamily
    if family.kind == "counter":
        metric = CounterMetricFamily(family.name, family.help, labels=labels)
    else:
        metric = GaugeMetricFamily(family.name, family.help, labels=labels)
    for report in reports:
        samples = report.counters if family.kind == "counter" else report.gauges
        for key, value in samples.get(family.name, _NOTHING).items():
            metric.add_metric([str(report.worker), *_values(family, key)], value)
    return metric


def _render_histogram(family: Family, labels: tuple[str, ...], reports: Iterable[WorkerReport]) -> Metric:
    metric = HistogramMetricFamily(family.name, family.help, labels=labels)
    for report in reports:
        sums = report.counters.get(f"{family.name}_sum_us", _NOTHING)
        for server, buckets in _by_server(report.counters.get(f"{family.name}_bucket", _NOTHING)).items():
            metric.add_metric([str(report.worker), server], buckets, sums.get(server, 0) / 1_000_000)
    return metric


def _by_server(samples: Mapping[str, int | float]) -> dict[str, list[tuple[str, float]]]:
    """Return cumulated buckets per server, from counts per bucket in their order."""
    found: dict[str, list[tuple[str, float]]] = {}
    for key, count in samples.items():
        server, _, bound = key.rpartition("|")
        buckets = found.setdefault(server, [])
        buckets.append((bound, count + (buckets[-1][1] if buckets else 0)))
    return found


def _values(family: Family, key: str) -> list[str]:
    return key.split("|", len(family.labels) - 1) if family.labels else []
