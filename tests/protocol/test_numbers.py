"""Every number of docs/protocol.md has a test that bears it, and every test stands for a number there."""

import re
from pathlib import Path

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "protocol.md"
NUMBERS = {
    *(f"H{number}" for number in range(1, 13)),
    *(f"A{number}" for number in range(1, 12)),
    "A5b",
    *(f"M{number}" for number in (1, 2, 3, 4, 5, 6, 7, 12)),
    *(f"D{number}" for number in range(1, 9)),
    *(f"C{number}" for number in range(1, 11)),
    *(f"S{number}" for number in range(1, 4)),
    *(f"X{number}" for number in range(1, 4)),
}


def with_a_test() -> set[str]:
    names = re.findall(
        r"^(?:async )?def test_([a-z]\d+b?)_",
        "\n".join(path.read_text("utf-8") for path in HERE.glob("test_*.py")),
        re.M,
    )
    return {name[0].upper() + name[1:] for name in names}


def explained() -> list[str]:
    return re.findall(r"^\| ([A-Z]\d+b?) \|", PAGE.read_text("utf-8"), re.MULTILINE)


def test_every_number_has_a_test() -> None:
    assert with_a_test() == NUMBERS


def test_every_number_is_explained_once() -> None:
    assert sorted(explained()) == sorted(NUMBERS)
