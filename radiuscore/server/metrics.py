"""What is counted, under which names: plain integers of one worker as samples, without any metrics library.

`Samples` is family name -> label values joined by ``|`` -> value, which is JSON as it stands. Labels come from closed
sets (ports, codes, reasons); never a username, a session or a tenant. `exposition` renders them.
"""

from typing import Final, Literal, NamedTuple, TypeAlias

Samples: TypeAlias = dict[str, dict[str, int | float]]


class Family(NamedTuple):
    """A metric's name without ``_total``, what it means, its labels beside ``worker``, and its kind."""

    name: str
    help: str
    labels: tuple[str, ...]
    kind: Literal["counter", "gauge", "histogram"] = "counter"


FAMILIES: Final = (
    Family("radius_requests", "Requests of a known NAS with a valid secret, by packet type", ("server", "type")),
    Family("radius_replies", "Replies made, by packet type, without repeated ones", ("server", "type")),
    Family("radius_discards", "Datagrams that got no reply, by reason", ("server", "reason")),
    Family("radius_duplicates", "Retransmissions answered with the same octets again", ("server",)),
    Family("radius_rejects", "Access-Rejects, by reason", ("reason",)),
    Family("radius_request_duration_seconds", "From reading a request to sending its reply", ("server",), "histogram"),
    Family("radius_send_failures", "Replies that the kernel did not take", ("server",)),
    Family("radius_kernel_drops", "Datagrams the kernel dropped because they were not read in time", ("server",)),
    Family("radius_accounting_records", "Accounting records: recorded, given_up or refused", ("result",)),
    Family("radius_accounting_batches", "Statements that stored accounting records", ()),
    Family("radius_accounting_not_stored", "Accounting-Requests acknowledged without a record (tunnels)", ()),
    Family("radius_accounting_queue_length", "Accounting records waiting for a batch", (), "gauge"),
    Family("radius_accounting_spooling", "1 while accounting goes to the local spool", (), "gauge"),
    Family("radius_accounting_spool_broken", "1 while the local spool takes nothing", (), "gauge"),
    Family("radius_accounting_spool_records", "Accounting records waiting in the local spool", (), "gauge"),
    Family("radius_accounting_spool_age_seconds", "Age of the oldest record in the local spool", (), "gauge"),
    Family("radius_accounting_replayed", "Accounting records replayed from the local spool", ()),
    Family("radius_accounting_set_aside", "Spooled records that the database refuses", ()),
    Family("radius_login_log_rows", "Rows of the auth log: written, dropped or refused", ("result",)),
    Family(
        "radius_reservations",
        "Logins of strict plans and central pools: reserved, refused, unguarded (database away) or unanswered",
        ("result",),
    ),
    Family("radius_channel_dropped", "Reports and events that the management process did not take", ()),
    Family("radius_replica_age_seconds", "Time since the worker last caught up with the database", (), "gauge"),
    Family("radius_cache_entries", "Entries a worker holds", ("cache",), "gauge"),
    Family("radius_in_flight", "Requests waiting for their answer", ("server",), "gauge"),
    Family("radius_worker_restarts", "How often this worker was replaced", ()),
    Family("radius_worker_ready", "1 when the worker has its replica and answers", (), "gauge"),
)


def add(base: Samples, own: Samples) -> Samples:
    """Return the sums of what a predecessor counted and what this process did."""
    total = {name: dict(values) for name, values in base.items()}
    for name, values in own.items():
        family = total.setdefault(name, {})
        for labels, value in values.items():
            family[labels] = family.get(labels, 0) + value
    return total


def label(*values: str) -> str:
    """Join label values into a sample's key."""
    return "|".join(values)
