"""To which incarnation of an Acct-Session-Id a report belongs, and when a session without a clock of its own was."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import pytest

from radiuscore.store.incarnations import Archived, Live, Verdict, in_time_of, judge
from radiuscore.store.reports import report_of
from tests.store.reporting import T, interim

LIVE = Live(start_estimate=10_000, session_time=1000, input_counter=500, output_counter=None, statuses=5)
KNOWN = Archived(datetime.fromtimestamp(5000, UTC), UUID(int=1))


@pytest.mark.parametrize(
    ("began", "sent", "archived", "verdict"),
    [
        (10_000, 11_300, None, Verdict.SAME),
        (10_060, 11_300, None, Verdict.SAME),
        (9_940, 11_300, KNOWN, Verdict.SAME),
        (10_061, 11_300, None, Verdict.SHIFTED),  # it cannot have begun while the live one reported
        (10_939, 11_300, None, Verdict.SHIFTED),
        (10_940, 11_300, None, Verdict.NEWER),
        (50_000, 50_000, KNOWN, Verdict.NEWER),
        (9_939, 11_300, None, Verdict.SHIFTED),  # it cannot be older and report after the live one began
        (9_939, 10_000, None, Verdict.SHIFTED),
        (9_939, 9_999, None, Verdict.OLDER),
        (4_000, 11_300, KNOWN, Verdict.OLDER),
    ],
)
def test_to_which_incarnation_a_report_belongs(
    began: int, sent: int, archived: Archived | None, verdict: Verdict
) -> None:
    report = report_of(interim(sent - T, sent - began))
    assert judge(report, LIVE, archived) is verdict


def test_a_report_without_session_time_gets_the_one_of_our_clock() -> None:
    timed = in_time_of(report_of(interim(11_500 - T, None, (600, None))), LIVE)
    assert (timed.session_time, timed.start_estimate) == (1500, 10_000)
    overtaken = in_time_of(report_of(interim(11_500 - T, None, (499, None))), LIVE)
    assert (overtaken.session_time, overtaken.start_estimate) == (1000, 10_000)
    assert in_time_of(report_of(interim(0, None)), None).session_time == 0
