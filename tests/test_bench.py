"""What the bench compares does the same, or its figures mean nothing."""

import pytest

from bench.rules import BY_HAND, check, compiled


@pytest.mark.parametrize(("rule", "function"), list(zip(compiled(), BY_HAND, strict=True)))
def test_the_functions_that_rules_are_measured_beside_do_what_the_rules_do(rule, function):
    check(rule, function)
