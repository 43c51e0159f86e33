"""RouterOS literals: a small reader of the manual's escape table is the inverse."""

import re

from hypothesis import given
from hypothesis import strategies as st

from mikrotik.values import quote


def read(literal: str) -> str:
    """Read a RouterOS string literal by the manual's table of escapes."""
    assert literal[0] == literal[-1] == '"'
    named = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\", "$": "$", "?": "?"}

    def octets(match: re.Match[str]) -> str:
        return chr(int(match[1], 16)) if len(match[1]) == 2 else named[match[1]]

    return re.sub(r"\\([0-9A-F]{2}|.)", octets, literal[1:-1]).encode("latin-1").decode()


@given(st.text())
def test_a_quoted_text_reads_back_as_itself(text: str) -> None:
    assert read(quote(text)) == text


@given(st.text())
def test_a_literal_is_one_line_of_ascii_that_ends_where_it_should(text: str) -> None:
    literal = quote(text)

    assert literal.isascii()
    assert literal.isprintable()
    assert re.fullmatch(r'"(?:[^"\\$?]|\\.)*"', literal)


def test_what_the_console_would_act_on_is_escaped() -> None:
    assert quote('a$b"c\\d?é\n') == r'"a\$b\"c\\d\?\C3\A9\n"'
