"""As which router `radtest` asks, when several could be meant."""

from dataclasses import replace

import pytest

from mgmt.faults import Fault
from mgmt.radtest import Router, choose_router, may_sign
from radiuscore.aaa.records import MessageAuthenticatorPolicy, Nas

HERE = Nas("127.0.0.1", b"x", isp_id=1, id=1)
AWAY = Nas("203.0.113.9", b"x", isp_id=1, id=2)
NET = Nas("203.0.113.0/24", b"x", isp_id=2, id=3)
NET6 = Nas("2001:db8::/64", b"x", isp_id=2, id=4)


@pytest.mark.parametrize(
    ("nases", "wanted", "chosen", "address"),
    [
        ([HERE, AWAY, NET], None, HERE, "127.0.0.1"),  # the one that can be asked over the network
        ([AWAY], None, AWAY, "203.0.113.9"),
        ([HERE, AWAY], "2", AWAY, "203.0.113.9"),
        ([HERE, AWAY, NET], "203.0.113.9", AWAY, "203.0.113.9"),  # the longest prefix
        ([HERE, AWAY, NET], "203.0.113.10", NET, "203.0.113.10"),
        ([NET], "3", NET, "203.0.113.1"),
        ([NET, NET6], "2001:db8::7", NET6, "2001:db8::7"),
    ],
)
def test_the_router_that_is_meant(nases: list[Nas], wanted: str | None, chosen: Nas, address: str) -> None:
    router = choose_router(nases, wanted)

    assert (router.nas, router.address) == (chosen, address)


@pytest.mark.parametrize(
    ("nases", "wanted", "fault"),
    [
        ([], None, r"^There is no device of any ISP with a RADIUS secret"),
        ([HERE], "7", r"^There is no device 7 with a RADIUS secret"),
        ([HERE], "203.0.113.9", r"^There is no device 203\.0\.113\.9 with a RADIUS secret"),
        (
            [AWAY, NET],
            None,
            r"^There are several devices: .* of 2 \(ISP 1, 203\.0\.113\.9\), 3 \(ISP 2, 203\.0\.113\.1\)\.$",
        ),
        ([HERE], "router", r"^--nas must be the address or the id of a device"),
    ],
)
def test_what_cannot_be_chosen_is_said(nases: list[Nas], wanted: str | None, fault: str) -> None:
    with pytest.raises(Fault, match=fault):
        choose_router(nases, wanted)


@pytest.mark.parametrize(
    ("nas", "others", "signs"),
    [
        (HERE, [AWAY], False),  # it would have to sign from then on, and perhaps it cannot
        (replace(HERE, message_authenticator_seen=True), [], True),
        (replace(HERE, require_message_authenticator=MessageAuthenticatorPolicy.YES), [], True),
        (replace(HERE, require_message_authenticator=MessageAuthenticatorPolicy.NO), [], True),
        (HERE, [replace(HERE, isp_id=2, id=9)], True),
    ],
)
def test_a_try_does_not_teach_a_device_to_sign(nas: Nas, others: list[Nas], signs: bool) -> None:
    assert may_sign([nas, *others], Router(nas, "127.0.0.1")) is signs
