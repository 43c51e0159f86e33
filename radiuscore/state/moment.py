"""Now, as state and decisions are told it."""

from typing import NamedTuple


class Moment(NamedTuple):
    """One instant on two clocks, read once per batch of datagrams.

    ``monotonic`` (seconds) measures ages; ``epoch`` (seconds since 1970) is compared with what people wrote down.
    """

    monotonic: float
    epoch: float
