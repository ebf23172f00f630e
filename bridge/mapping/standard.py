"""JMESPath's own functions as docs and messages show them: jmespath knows only how many arguments they take.

https://jmespath.org/specification.html#built-in-functions
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Standard:
    """One row; the tests check that the example gives the result."""

    arguments: str
    help: str
    example: str
    result: Any


STANDARD: Mapping[str, Standard] = {
    "abs": Standard("number", "without its sign", "abs(`-5`)", "5"),
    "avg": Standard("numbers", "the mean; null of an empty list", "avg(`[1, 2, 6]`)", "3"),
    "ceil": Standard("number", "rounded up", "ceil(`1.2`)", "2"),
    "contains": Standard(
        "list or text, value", "whether the value is in it", """contains(`["Gold", "Silver"]`, 'Gold')""", True
    ),
    "ends_with": Standard("text, end", "whether it ends so", "ends_with('acme.de', '.de')", True),
    "floor": Standard("number", "rounded down", "floor(`1.8`)", "1"),
    "join": Standard("separator, texts", "all in one text", """join(', ', `["EU", "US"]`)""", "EU, US"),
    "keys": Standard("object", "its keys", 'keys(`{"tier": "gold"}`)', ["tier"]),
    "length": Standard("list, text or object", "how many elements, characters or keys", "length('gold')", "4"),
    "map": Standard(
        "&expression, list", "the expression of each element", "map(&lower(@), split('EU,US', ','))", ["eu", "us"]
    ),
    "max": Standard("numbers or texts", "the largest; null of an empty list", "max(`[1, 3, 2]`)", "3"),
    "max_by": Standard(
        "list, &expression",
        "the element whose expression is largest",
        """max_by(`[{"n": 1, "v": "a"}, {"n": 3, "v": "b"}]`, &n).v""",
        "b",
    ),
    "merge": Standard("object, ...", "one object of all", """merge(`{"a": 1}`, `{"b": 2}`)""", {"a": 1, "b": 2}),
    "min": Standard("numbers or texts", "the smallest; null of an empty list", "min(`[2, 1, 3]`)", "1"),
    "min_by": Standard(
        "list, &expression",
        "the element whose expression is smallest",
        """min_by(`[{"n": 1, "v": "a"}, {"n": 3, "v": "b"}]`, &n).v""",
        "a",
    ),
    "not_null": Standard("value, ...", "the first that is not null", "not_null(nickname, 'none')", "none"),
    "reverse": Standard("list or text", "backwards", "reverse('abc')", "cba"),
    "sort": Standard("numbers or texts", "in order", "sort(`[3, 1, 2]`)", [1, 2, 3]),
    "sort_by": Standard(
        "list, &expression",
        "the elements in the order of their expressions",
        """sort_by(`[{"n": 3, "v": "b"}, {"n": 1, "v": "a"}]`, &n)[*].v""",
        ["a", "b"],
    ),
    "starts_with": Standard("text, beginning", "whether it begins so", "starts_with('cus_9', 'cus_')", True),
    "sum": Standard("numbers", "the sum; 0 of an empty list", "sum(`[1, 2, 3]`)", "6"),
    "to_array": Standard("value", "a list of it, unless it is a list", "to_array('a')", ["a"]),
    "to_number": Standard("value", "text as a number; null if it is none", "to_number('12.50')", "12.5"),
    "to_string": Standard("value", "as JSON, unless it is text", "to_string(`[1, 2]`)", "[1,2]"),
    "type": Standard("value", "number, string, boolean, array, object or null", "type('a')", "string"),
    "values": Standard("object", "its values", 'values(`{"tier": "gold"}`)', ["gold"]),
}
