"""Calls in expressions: of JMESPath's own functions and of ours, and what is wrong with one before it is ever made."""

import math
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any

from jmespath.exceptions import JMESPathError
from jmespath.functions import Functions as JMESPathFunctions

from bridge.errors import RuleError
from bridge.mapping.functions import FUNCTIONS, add, check_length, decimal, divide, exists, number
from bridge.mapping.hints import accepted
from bridge.mapping.standard import STANDARD
from bridge.mapping.values import plain
from bridge.mapping.work import spend
from bridge.payload import describe

#: What evaluating an expression may raise beside our own errors.
UNEVALUABLE = (JMESPathError, TypeError, ValueError, ArithmeticError, RecursionError)


#: Functions of JMESPath that have an answer for null; to_string() has one too, the text `null`, which no field is for.
TAKE_NULL = ("merge", "not_null", "to_array", "to_number", "type")
#: Which argument a function is about, where it is not the first.
SUBJECT = {"join": 1, "map": 1}


class Functions(JMESPathFunctions):
    """JMESPath's own functions: null for null, like ours. What they raise says which function, and never with what."""

    def call_function(self, function_name: str, resolved_args: Iterable[Any]) -> Any:
        arguments = list(resolved_args)
        spend(1 + sum(len(one) for one in arguments if isinstance(one, list)))
        subject = SUBJECT.get(function_name, 0)
        if len(arguments) <= subject:
            raise RuleError(f"{function_name}() needs more than {len(arguments)} arguments")
        if function_name not in TAKE_NULL and arguments[subject] is None:
            return None
        if function_name == "join" and isinstance(arguments[0], str) and isinstance(arguments[1], list):
            texts = [part for part in arguments[1] if isinstance(part, str)]
            check_length(len(arguments[0]) * len(texts) + sum(map(len, texts)), "join")
        if function_name in OF_ONE and (function_name == "to_number" or isinstance(arguments[0], Decimal)):
            return OF_ONE[function_name](arguments[0])
        exact = IN_DECIMAL.get(function_name)
        if exact and isinstance(arguments[0], list) and all(map(is_number, arguments[0])):
            return exact([decimal(one, function_name) for one in arguments[0]])
        try:
            return super().call_function(function_name, [float(a) if isinstance(a, Decimal) else a for a in arguments])
        except (JMESPathError, TypeError, ValueError, AttributeError, KeyError, IndexError, RecursionError):
            given = ", ".join(map(describe, arguments))
            raise RuleError(f"{function_name}() cannot take {given}") from None


def is_number(value: Any) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def mean(numbers: list[Decimal]) -> Any:
    return divide(total(numbers), len(numbers)) if numbers else None


def total(numbers: list[Decimal]) -> Any:
    return add(*numbers) if numbers else 0


def to_number(value: Any) -> Any:
    """As JMESPath's own, but with every digit."""
    try:
        if isinstance(value, str | Decimal):
            return number(decimal(value, "to_number"))
    except RuleError:
        return None
    return value if is_number(value) else None


#: JMESPath would compute in binary: 0.1 and 0.2 would be 0.30000000000000004.
IN_DECIMAL: dict[str, Callable[[list[Decimal]], Any]] = {
    "sum": total,
    "avg": mean,
    "max": lambda numbers: number(max(numbers)) if numbers else None,
    "min": lambda numbers: number(min(numbers)) if numbers else None,
    "sort": lambda numbers: [number(one) for one in sorted(numbers)],
}
#: Of one number that a double cannot hold; `to_number` of anything.
OF_ONE: dict[str, Callable[[Any], Any]] = {
    "to_number": to_number,
    "to_string": plain,
    "abs": lambda value: number(abs(value)),
    "ceil": math.ceil,
    "floor": math.floor,
}


class AllFunctions(Functions):
    """Ours too, for whoever has jmespath walk a tree."""

    def call_function(self, function_name: str, resolved_args: Iterable[Any]) -> Any:
        function, arguments = FUNCTIONS.get(function_name), list(resolved_args)
        if function is None:
            return super().call_function(function_name, arguments)
        return function.call(*arguments) if function.takes_null or exists(arguments[0]) else None


#: What other languages call it.
ELSEWHERE = {
    **dict.fromkeys(("len", "size", "count"), "length"),
    **dict.fromkeys(("lowercase", "to_lower", "tolower", "downcase"), "lower"),
    **dict.fromkeys(("uppercase", "to_upper", "toupper", "upcase"), "upper"),
    **dict.fromkeys(("substr", "slice", "left", "right", "mid"), "substring"),
    **dict.fromkeys(("default", "ifnull", "if_null", "nvl", "isnull"), "coalesce"),
    **dict.fromkeys(("concatenate", "format", "cat"), "concat"),
    **dict.fromkeys(("regex", "regex_match", "match", "test"), "matches"),
    **dict.fromkeys(("switch", "lookup", "case", "translate"), "map_value"),
    **dict.fromkeys(("defined", "is_set", "has", "present"), "exists"),
    **dict.fromkeys(("includes", "in"), "contains"),
    **dict.fromkeys(("str", "string", "text"), "to_string"),
    **dict.fromkeys(("int", "float", "number"), "to_number"),
    **dict.fromkeys(("startswith", "begins_with"), "starts_with"),
    **dict.fromkeys(("endswith",), "ends_with"),
    **dict.fromkeys(("strip",), "trim"),
    **dict.fromkeys(("minus", "sub"), "subtract"),
    **dict.fromkeys(("plus",), "add"),
    **dict.fromkeys(("times", "mul"), "multiply"),
    **dict.fromkeys(("div",), "divide"),
}


def call_problem(name: str, given: int) -> tuple[str, str] | None:
    """What is wrong with calling `name` with `given` arguments: the check's code, and how lint says it."""
    if name in FUNCTIONS:
        function = FUNCTIONS[name]
        if function.least <= given and (function.most is None or given <= function.most):
            return None
        return "argument-count", f"{name}() takes ({function.arguments}): {given} given"
    if name not in Functions.FUNCTION_TABLE:
        known = {*FUNCTIONS, *Functions.FUNCTION_TABLE}
        return "unknown-function", f"no function {name!r}{accepted(name, known, ELSEWHERE.get(name.lower()))}"
    signature = Functions.FUNCTION_TABLE[name]["signature"]
    if given == len(signature) or (given > len(signature) and signature[-1].get("variadic")):
        return None
    return "argument-count", f"{name}() takes ({STANDARD[name].arguments}): {given} given"
