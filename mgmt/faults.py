"""What a command cannot do, in one sentence for the person who typed it."""

from typing import Final

EXIT_FAULT: Final = 1
EXIT_USAGE: Final = 2


class Fault(Exception):
    """An expected failure: the text is one sentence that says what is wrong and how to mend it, without a secret."""

    def __init__(self, sentence: str, exit_code: int = EXIT_FAULT) -> None:
        super().__init__(sentence)
        self.exit_code = exit_code
