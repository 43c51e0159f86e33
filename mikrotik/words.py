"""The RouterOS API's octets -> sentences, without a socket. A word is length and octets; an empty one ends a sentence.

Bounds come first: a router's answer is hostile input. Words are `bytes`; all that is judged is that a sentence begins
with a reply word, so that another service on this port is known at its first octets.
(RouterOS manual: API, API words and API sentences.)
"""

from typing import Final, TypeAlias

from mikrotik.errors import ProtocolFailed

Sentence: TypeAlias = tuple[bytes, ...]

MAX_WORD_OCTETS: Final = 1 << 20  # the largest word we ask for is a piece of a file, 32 KiB
MAX_SENTENCE_WORDS: Final = 1024  # the widest rows have under 100
NOT_THE_API: Final = "Check that the port is the router's API port (8728, or 8729 for TLS)."


class SentenceDecoder:
    """Octets in as they arrive, whole sentences out. After an error the stream cannot be read further."""

    def __init__(self) -> None:
        self._buffer = b""
        self._words: list[bytes] = []

    @property
    def idle(self) -> bool:
        """Whether the stream is between two sentences."""
        return not self._buffer and not self._words

    def feed(self, octets: bytes) -> list[Sentence]:
        """Return the sentences that these octets complete; empty sentences are left out.

        Cost: one pass. Raises `ProtocolFailed` and nothing else.
        """
        buffer = self._buffer + octets
        end = len(buffer)
        offset = 0
        sentences: list[Sentence] = []
        while offset < end:
            first = buffer[offset]
            if first < 0x80:
                start, length = offset + 1, first
            else:
                start = offset + _length_octets(first)
                if start > end:
                    break
                length = int.from_bytes(buffer[offset:start], "big") & _MASKS[start - offset]
                if length > MAX_WORD_OCTETS:
                    raise ProtocolFailed(f"The router announced a word of {length} octets.", NOT_THE_API)
            if start + length > end:
                break
            offset = start + length
            if length:
                self._add(buffer[start:offset])
            elif self._words:
                sentences.append(tuple(self._words))
                self._words = []
        self._buffer = buffer[offset:]
        return sentences

    def _add(self, word: bytes) -> None:
        if not self._words and word[:1] != b"!":
            raise ProtocolFailed("The router's answer does not begin like one.", NOT_THE_API)
        if len(self._words) >= MAX_SENTENCE_WORDS:
            raise ProtocolFailed(f"The router sent a sentence of over {MAX_SENTENCE_WORDS} words.", NOT_THE_API)
        self._words.append(word)


_MASKS: Final = {2: 0x3FFF, 3: 0x1FFFFF, 4: 0xFFFFFFF, 5: 0xFFFFFFFF}


def _length_octets(first: int) -> int:
    if first < 0xC0:
        return 2
    if first < 0xE0:
        return 3
    if first < 0xF0:
        return 4
    if first < 0xF8:
        return 5
    raise ProtocolFailed("The router sent a reserved control octet.", NOT_THE_API)
