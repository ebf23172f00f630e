"""jmespath's own walk over a tree, for callers that watch each step; `closures` gives the same in less time."""

from typing import Any

import jmespath
from jmespath.visitor import TreeInterpreter

from bridge.mapping.calls import AllFunctions
from bridge.mapping.closures import Node, needed_parts, summed
from bridge.mapping.functions import exists


class Interpreter(TreeInterpreter):
    """With our functions, and with what they make of nulls in names and of sums of nothing."""

    def __init__(self, functions: AllFunctions | None = None) -> None:
        super().__init__(jmespath.Options(custom_functions=functions or AllFunctions()))

    def visit_function_expression(self, node: Node, value: Any) -> Any:
        if node.get("whole"):
            parts = [self.visit(node["children"][number], value) for number in needed_parts(node)]
            if not all(map(exists, parts)):
                return None
        outcome = super().visit_function_expression(node, value)
        there = summed(node)
        return outcome if there is None or there(value) else None
