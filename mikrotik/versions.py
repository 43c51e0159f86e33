"""RouterOS versions: read from any form a router shows, and ordered as they were released."""

import re
from typing import Final, NamedTuple

_VERSION: Final = re.compile(r"(\d{1,3})\.(\d{1,4})(?:\.(\d{1,4}))?(?:(alpha|beta|rc)(\d{0,4}))?", re.ASCII)
_STAGES: Final = {"alpha": 0, "beta": 1, "rc": 2}
_RELEASED: Final = 3


class Version(NamedTuple):
    """``7.18.2`` is ``(7, 18, 2)``; a beta or a release candidate comes before its release."""

    major: int
    minor: int
    patch: int = 0
    stage: int = _RELEASED
    number: int = 0

    def __str__(self) -> str:
        text = f"{self.major}.{self.minor}" + (f".{self.patch}" if self.patch else "")
        names = [name for name, stage in _STAGES.items() if stage == self.stage]
        return text + (f"{names[0]}{self.number}" if names else "")


def parse_version(text: str) -> Version | None:
    """Read ``7.18.2 (stable)``, ``6.49.17``, ``7.1beta4 (development)``; ``None`` for anything else."""
    match = _VERSION.match(text.strip())
    if match is None:
        return None
    stage = _STAGES.get(match[4] or "", _RELEASED)
    return Version(int(match[1]), int(match[2]), int(match[3] or 0), stage, int(match[5] or 0))
