"""What an error says about the words that would have been right."""

import re
from collections.abc import Iterable
from difflib import get_close_matches
from itertools import takewhile

#: Words of fewer letters are too near each other to tell a slip from another word; more so where a letter is another.
MIN_LETTERS = 4
MIN_LETTERS_REPLACED = 6

_WORDS = re.compile(r"[^A-Za-z0-9]+")


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


def misspelled(name: str, names: Iterable[str]) -> str | None:
    """The one of `names` that this is with slips of the keyboard; None if it may as well be another name.

    A word that some other name has is no slip: invoice.paid beside invoice.voided says nothing against invoice.created.
    """
    known = tuple(names)
    words, vocabulary = words_of(name), {word for other in known for word in words_of(other)}
    for other in known:
        theirs = words_of(other)
        if "".join(words) == "".join(theirs) or is_other_ending(words, theirs):
            return other
        if len(words) == len(theirs) and all(
            one == meant or (one not in vocabulary and is_slip(one, meant))
            for one, meant in zip(words, theirs, strict=True)
        ):
            return other
    return None


def words_of(name: str) -> list[str]:
    return _WORDS.split(name.casefold())


def is_other_ending(one: list[str], other: list[str]) -> bool:
    """updated and update, and the like."""
    short, long = sorted((one, other), key=lambda words: len(words[-1]))
    cut = len(long[-1]) - len(short[-1])
    return (
        short[:-1] == long[:-1]
        and len(short[-1]) >= MIN_LETTERS
        and long[-1].startswith(short[-1])
        and long[-1][-cut:] in ("d", "ed", "s", "es")
    )


def is_slip(one: str, meant: str) -> bool:
    """Whether a letter is missing, doubled, in another place, or another."""
    letters = min(len(one), len(meant))
    if letters < MIN_LETTERS:
        return False
    if one[0] == meant[0] and sorted(one) == sorted(meant):
        return True
    before = beginning(one, meant)
    after = beginning(one[before:][::-1], meant[before:][::-1])
    apart = {len(one) - before - after, len(meant) - before - after}
    return apart == {0, 1} or (apart == {1} and letters >= MIN_LETTERS_REPLACED)


def beginning(one: str, other: str) -> int:
    """How many letters are the same before the first that is not."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))
