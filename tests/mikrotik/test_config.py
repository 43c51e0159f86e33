"""How to reach a router: defaults, and values that cannot be."""

from typing import Any

import pytest

from mikrotik import ConnectionType, MikroTikConnectionConfig


@pytest.mark.parametrize(("way", "port"), [("api", 8728), ("api-ssl", 8729), ("ssh", 22), ("rest", 443)])
def test_the_usual_port_of_each_way(way: str, port: int) -> None:
    config = MikroTikConnectionConfig("192.0.2.1", connection_type=ConnectionType(way))

    assert config.service_port == port
    assert MikroTikConnectionConfig("192.0.2.1", 4711, connection_type=ConnectionType(way)).service_port == 4711


def test_rest_in_clear_has_its_own_port() -> None:
    assert MikroTikConnectionConfig("h", connection_type=ConnectionType.REST, https=False).service_port == 80


def test_a_way_may_be_named_by_its_text() -> None:
    config = MikroTikConnectionConfig("192.0.2.1", connection_type="ssh")  # type: ignore[arg-type]
    assert config.connection_type is ConnectionType.SSH


@pytest.mark.parametrize(
    "wrong",
    [
        {"host": ""},
        {"host": "router one"},
        {"host": "http://192.0.2.1/"},
        {"host": "a@b"},
        {"port": 0},
        {"port": 70000},
        {"timeout": 0},
        {"timeout": float("nan")},
        {"username": ""},
        {"username": "a\nb"},
        {"encoding": "no-such"},
        {"tls_fingerprint": "abc"},
        {"connection_type": "telnet"},
    ],
)
def test_a_value_that_cannot_be_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"not|neither|empty") as caught:
        MikroTikConnectionConfig(**{"host": "192.0.2.1", "password": "canary", **wrong})
    assert "canary" not in str(caught.value)


def test_a_fingerprint_is_kept_in_one_form() -> None:
    pin = ":".join(["AB"] * 32)
    assert MikroTikConnectionConfig("h", tls_fingerprint=pin).tls_fingerprint == "ab" * 32
