"""What an error says about the words that would have been right."""

from collections.abc import Iterable
from difflib import get_close_matches


def closest(word: str, words: Iterable[str]) -> str | None:
    """The one that was probably meant, whatever the case of its letters; None if none is near."""
    folded = {known.casefold(): known for known in words}
    close = get_close_matches(word.casefold(), folded, 1)
    return folded[close[0]] if close else None


def accepted(word: str, words: Iterable[str], meant: str | None = None) -> str:
    """`: did you mean 'customer'? Accepted are ...`"""
    words = sorted(words)
    meant = meant or closest(word, words)
    question = f"did you mean {meant!r}? " if meant else ""
    return f": {question}Accepted are {', '.join(words)}"
