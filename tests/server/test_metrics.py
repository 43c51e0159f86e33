"""Counters: kept over a worker's death, never lowered, and shown as Prometheus reads them."""

import os
import tempfile
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from radiuscore.server.channel_server import WorkerReport
from radiuscore.server.counter_memory import HALF, CounterMemory
from radiuscore.server.exposition import WorkerCollector
from radiuscore.server.histogram import BOUNDS_S, Histogram
from radiuscore.server.metrics import FAMILIES, Samples, add, label


@pytest.fixture
def memory_fd() -> Iterator[int]:
    with tempfile.TemporaryFile() as file:
        yield file.fileno()


def test_a_successor_finds_what_was_counted(memory_fd: int) -> None:
    first = CounterMemory(memory_fd)
    assert first.load() == {}
    for count in range(1, 6):
        first.save({"radius_requests": {"auth": count}})
        assert CounterMemory(memory_fd).load() == {"radius_requests": {"auth": count}}


def test_a_writing_that_was_cut_short_leaves_the_one_before(memory_fd: int) -> None:
    memory = CounterMemory(memory_fd)
    for count in (1, 2):
        memory.save({"radius_requests": {"auth": count}})
    os.pwrite(memory_fd, b"\xff" * 40, 0)  # the newest half, overwritten in part
    assert CounterMemory(memory_fd).load() == {"radius_requests": {"auth": 1}}


def test_a_successor_goes_on_writing_where_the_other_half_is(memory_fd: int) -> None:
    CounterMemory(memory_fd).save({"a": {"": 1}})
    second = CounterMemory(memory_fd)
    second.load()
    second.save({"a": {"": 2}})
    assert CounterMemory(memory_fd).load() == {"a": {"": 2}}


def test_counters_that_do_not_fit_are_refused(memory_fd: int) -> None:
    with pytest.raises(ValueError, match="do not fit"):
        CounterMemory(memory_fd).save({"a": {"x" * HALF: 1}})


samples = st.dictionaries(st.sampled_from("ab"), st.dictionaries(st.sampled_from("xyz"), st.integers(0, 9)))


@given(samples, samples)
def test_adding_never_lowers_a_counter(base: Samples, own: Samples) -> None:
    total = add(base, own)
    for given_ in (base, own):
        for name, values in given_.items():
            assert all(total[name][key] >= value for key, value in values.items())
    assert sum(sum(v.values()) for v in total.values()) == sum(
        sum(v.values()) for one in (base, own) for v in one.values()
    )


def report(worker: int, counters: Samples, gauges: Samples) -> WorkerReport:
    return WorkerReport(worker, pid=worker, ready=True, received_at=0.0, counters=counters, gauges=gauges)


def exposed(*reports: WorkerReport) -> dict[str, float]:
    registry = CollectorRegistry()
    registry.register(WorkerCollector(lambda: reports))
    return {
        " ".join((sample.name, *(f"{name}={value}" for name, value in sorted(sample.labels.items())))): sample.value
        for family in text_string_to_metric_families(generate_latest(registry).decode())
        for sample in family.samples
    }


def test_counters_and_gauges_are_shown_for_each_worker() -> None:
    found = exposed(
        report(1, {"radius_requests": {label("auth", "access_request"): 7}}, {"radius_worker_ready": {"": 1}}),
        report(0, {"radius_discards": {label("acct", "unknown_nas"): 2}}, {}),
    )
    assert found == {
        "radius_requests_total server=auth type=access_request worker=1": 7,
        "radius_discards_total reason=unknown_nas server=acct worker=0": 2,
        "radius_worker_ready worker=1": 1,
    }


def test_durations_are_shown_as_a_histogram() -> None:
    histogram = Histogram()
    for seconds, times in ((0.00005, 3), (0.0003, 2), (5.0, 1)):
        histogram.observe(seconds, times)
    bounds = [*map(str, BOUNDS_S), "+Inf"]
    buckets: dict[str, int | float] = {
        label("auth", bound): count for bound, count in zip(bounds, histogram.counts, strict=True)
    }
    found = exposed(
        report(
            0,
            {
                "radius_request_duration_seconds_bucket": buckets,
                "radius_request_duration_seconds_sum_us": {"auth": histogram.total_us},
            },
            {},
        )
    )
    name = "radius_request_duration_seconds"
    assert found[f"{name}_bucket le=0.0001 server=auth worker=0"] == 3
    assert found[f"{name}_bucket le=0.0005 server=auth worker=0"] == 5
    assert found[f"{name}_bucket le=1.0 server=auth worker=0"] == 5
    assert found[f"{name}_bucket le=+Inf server=auth worker=0"] == 6
    assert found[f"{name}_count server=auth worker=0"] == 6
    assert found[f"{name}_sum server=auth worker=0"] == pytest.approx(5.00075)


def test_every_family_has_its_own_name_and_says_what_it_means() -> None:
    assert len({family.name for family in FAMILIES}) == len(FAMILIES)
    assert all(family.name.startswith("radius_") and family.help for family in FAMILIES)
    assert not any(family.name.endswith("_total") for family in FAMILIES)
