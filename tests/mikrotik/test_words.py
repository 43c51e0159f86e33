"""The API's words: over all lengths the inverse of the encoder, in any pieces, and one error for all else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from librouteros.protocol import encode_sentence

from mikrotik.api import read_reply
from mikrotik.errors import ProtocolFailed
from mikrotik.words import MAX_SENTENCE_WORDS, MAX_WORD_OCTETS, Sentence, SentenceDecoder
from tests.mikrotik.standin.api import encode_word

sentences = st.lists(st.lists(st.text(min_size=1), max_size=6).map(lambda words: ["!re", *words]), max_size=5)


def decode(octets: bytes, *, piece: int = 0) -> list[Sentence]:
    decoder = SentenceDecoder()
    pieces = [octets[at : at + piece] for at in range(0, len(octets), piece)] if piece else [octets]
    return [sentence for one in pieces for sentence in decoder.feed(one)]


@pytest.mark.parametrize(
    ("size", "header"),
    [
        (0x7F, "7f"),
        (0x80, "8080"),
        (0x3FFF, "bfff"),
        (0x4000, "c04000"),
        (0xFFFFF, "cfffff"),
        (MAX_WORD_OCTETS, "d00000"),
    ],
)
def test_a_word_of_each_length(size: int, header: str) -> None:
    """RouterOS manual, API: the table of lengths, at both ends of each row."""
    word = b"!" + b"x" * (size - 1)

    octets = encode_word(word)

    assert octets.startswith(bytes.fromhex(header) + b"!")
    assert decode(octets + b"\x00") == [(word,)]
    assert octets + b"\x00" == encode_sentence(word.decode(), encoding="utf-8")


def test_a_length_may_take_more_octets_than_it_needs() -> None:
    assert decode(b"\xf0\x00\x00\x00\x05!done\x00") == [(b"!done",)]
    assert decode(b"\xe0\x00\x00\x05!done\x00") == [(b"!done",)]


@given(sentences, st.integers(1, 40))
def test_what_librouteros_encodes_is_decoded_in_any_pieces(sent: list[list[str]], piece: int) -> None:
    octets = b"".join(encode_sentence(*words, encoding="utf-8") for words in sent)
    expected = [tuple(word.encode() for word in words) for words in sent]

    assert decode(octets) == expected
    assert decode(octets, piece=piece) == expected
    assert decode(octets, piece=1) == expected


@given(st.binary(max_size=300))
def test_decoding_is_total(octets: bytes) -> None:
    """Whatever arrives is sentences or `ProtocolFailed`, never another error, whole or octet by octet."""

    def outcome(piece: int) -> list[Sentence] | str:
        try:
            return decode(octets, piece=piece)
        except ProtocolFailed as error:
            return str(error)

    whole, bit_by_bit = outcome(0), outcome(1)
    assert isinstance(whole, str) == isinstance(bit_by_bit, str)
    if isinstance(whole, list):
        assert whole == bit_by_bit
        read_reply(whole, "utf-8")


@pytest.mark.parametrize(
    "octets",
    [
        b"\xf8\x00",
        encode_word(b"!re")[:1] + b"!re" + b"\xf0\xff\xff\xff\xff",
        encode_word(b"!" + b"x" * (MAX_WORD_OCTETS)),
        b"\x03!re" + b"\x01x" * MAX_SENTENCE_WORDS,
        b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\nand so on for as many octets as the first one promised",
        b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\nServer: a server\r\n\r\n",
    ],
)
def test_what_is_no_answer_is_refused_before_it_is_stored(octets: bytes) -> None:
    with pytest.raises(ProtocolFailed):
        decode(octets)


def test_rows_as_real_routers_sent_them() -> None:
    octets = b"".join(
        encode_sentence(*words, encoding="utf-8")
        for words in (
            ("!re", "=.id=*1", "=name=true", "=comment==a=b=", ".tag=7"),
            ("!re",),
            ("!re", "a word without equals sign", "=empty="),
            ("!trap", "=category=0", "=message=no such command or directory (health)"),
            ("!trap",),
            ("!done", "=ret=*5"),
        )
    )
    rows, traps = read_reply(decode(octets), "utf-8")

    assert rows == [{".id": "*1", "name": "true", "comment": "=a=b="}, {}, {"empty": ""}, {"ret": "*5"}]
    assert traps == ["no such command or directory (health)", "no reason given"]


def test_octets_that_are_no_text_are_shown_and_not_dropped() -> None:
    rows, _ = read_reply([(b"!re", b"=name=caf\xe9")], "utf-8")
    assert rows == [{"name": "caf\ufffd"}]
    assert read_reply([(b"!re", b"=name=caf\xe9")], "latin-1")[0] == [{"name": "café"}]
