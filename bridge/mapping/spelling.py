"""Whether a name of several words is another one with slips of the keyboard in it."""

import re
from collections.abc import Iterable
from functools import lru_cache
from itertools import takewhile

#: Words of fewer letters are too near each other to tell a slip from another word; more so where a letter is another.
MIN_LETTERS = 4
MIN_LETTERS_REPLACED = 6

Words = tuple[str, ...]

_SEPARATORS = re.compile(r"[^A-Za-z0-9]+")


def misspelled(name: str, names: Iterable[str]) -> str | None:
    """The one of `names` that was probably meant; None if this may as well be another name.

    A word that some other name has is no slip: where there is invoice.paid, product.paid is no product.said.
    """
    known = [(other, words_of(other)) for other in names]
    words, vocabulary = words_of(name), {word for _, theirs in known for word in theirs}
    fresh = [word not in vocabulary for word in words]
    return next((other for other, theirs in known if is_same(words, theirs) or is_near(words, theirs, fresh)), None)


@lru_cache(10_000)
def words_of(name: str) -> Words:
    return tuple(_SEPARATORS.split(name.casefold()))


def is_same(one: Words, other: Words) -> bool:
    """The same letters with other separators, or another ending of the last word: updated and update, and the like."""
    if "".join(one) == "".join(other):
        return True
    short, long = sorted((one[-1], other[-1]), key=len)
    ending = long.removeprefix(short)
    return one[:-1] == other[:-1] and len(short) >= MIN_LETTERS and ending in ("d", "ed", "s", "es")


def is_near(one: Words, other: Words, fresh: list[bool]) -> bool:
    """The same words, but for slips in those that are `fresh`."""
    return len(one) == len(other) and all(
        word == meant or (may_be_slip and is_slip(word, meant))
        for word, meant, may_be_slip in zip(one, other, fresh, strict=True)
    )


def is_slip(one: str, meant: str) -> bool:
    """Whether a letter is missing, doubled, in another place, or another."""
    letters = min(len(one), len(meant))
    if letters < MIN_LETTERS or abs(len(one) - len(meant)) > 1:
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
