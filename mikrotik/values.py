"""RouterOS value forms: how a Python value is written for the console."""

from typing import Final

_NAMED: Final = {"\n": "\\n", "\r": "\\r", "\t": "\\t", '"': '\\"', "\\": "\\\\", "$": "\\$", "?": "\\?"}


def quote(text: str) -> str:
    """Return a text as a RouterOS string literal that means exactly this text, on one line of ASCII.

    ``$`` would begin a variable, and ``?`` shows help even inside quotes on RouterOS 6; what is not printable
    ASCII becomes its UTF-8 octets as upper-case ``\\XX``. (RouterOS manual: Scripting, Constant Escape Sequences.)
    """
    return '"' + "".join(_escaped(character) for character in text) + '"'


def _escaped(character: str) -> str:
    if character in _NAMED:
        return _NAMED[character]
    if " " <= character <= "~":
        return character
    return "".join(f"\\{octet:02X}" for octet in character.encode())
