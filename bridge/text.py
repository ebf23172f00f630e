"""Text from outside, made safe to show: one function for terminals and logs."""

import re

#: What a terminal, or a log viewer, might act on instead of showing it:
#: C0 and C1 controls and DEL (ECMA-48: escape sequences start with ESC or CSI), line and paragraph separators, the
#: bidirectional controls of Unicode that reorder what is read (https://trojansource.codes), characters that nothing
#: shows, and surrogates, which cannot be encoded. What joins letters (ZWNJ, ZWJ) stays.
_ODD = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufff9-\ufffb]"
)
_ODD_BUT_LINES = re.compile(_ODD.pattern.replace("\x00-\x1f", "\x00-\x08\x0b-\x1f"))


def harmless(text: str) -> str:
    r"""Returns the text in one line, with every control character written as `\u001b`, as JSON would write it."""
    return _ODD.sub(escaped, text)


def harmless_lines(text: str) -> str:
    """Returns the same for text of several lines: line feeds and tabs stay."""
    return _ODD_BUT_LINES.sub(escaped, text)


def escaped(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"
