"""What an error says about the words that would have been right."""

from collections.abc import Iterable
from difflib import get_close_matches


def accepted(word: str, words: Iterable[str]) -> str:
    """`: did you mean 'customer'? Accepted are ...`"""
    words = sorted(words)
    close = get_close_matches(word, words, 1)
    meant = f"did you mean {close[0]!r}? " if close else ""
    return f": {meant}Accepted are {', '.join(words)}"
