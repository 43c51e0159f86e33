"""Fixtures of the engine's tests."""

import pytest

from tests.protocol.bench import Bench


@pytest.fixture
def bench() -> Bench:
    return Bench()
