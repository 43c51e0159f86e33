"""The troubleshooting page explains each reason there is, and none that there is not."""

import re
from pathlib import Path

from radiuscore.aaa.decisions import RejectReason
from radiuscore.wire.errors import Discard

PAGE = Path(__file__).parents[2] / "docs" / "troubleshooting.md"


def reasons_of_table(heading: str) -> set[str]:
    """Return what stands in backticks in the first column of the table below a heading."""
    section = PAGE.read_text("utf-8").split(f"\n## {heading}\n")[1].split("\n## ")[0]
    cells = re.findall(r"^\| (`[^|]+`) \|", section, re.MULTILINE)
    return {reason for cell in cells for reason in re.findall(r"`(\w+)`", cell)}


def test_every_reason_of_silence_is_explained() -> None:
    assert reasons_of_table("No answer") == {discard.value for discard in Discard}


def test_every_reason_of_a_reject_is_explained() -> None:
    assert reasons_of_table("Rejected") == {reason.value for reason in RejectReason}


def test_every_link_leads_to_a_heading_of_the_page() -> None:
    text = PAGE.read_text("utf-8")
    headings = {
        re.sub(r"[^\w\- ]", "", heading).replace(" ", "-").lower()
        for heading in re.findall(r"^## (.+)$", text, re.MULTILINE)
    }

    links = set(re.findall(r"\]\(#([^)]+)\)", text))
    assert links
    assert links <= headings
