"""An explanation as a person reads it: every rule, every field, and how each came to its value."""

import json
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from rich.text import Text

from bridge.authoring.explain import Branch, Explanation, FieldStory, Found, RuleStory, ScopeStory
from bridge.authoring.steps import Step, steps_of
from bridge.cli.common import when
from bridge.cli.terminal import console
from bridge.mapping.dating import span
from bridge.mapping.rules import Fate, FieldRule
from bridge.payload import MISSING
from bridge.pipeline.preview import Preview
from bridge.text import harmless

#: How much of a value is shown, in characters, and how many elements of a `for_each`.
MAX_SHOWN = 72
MAX_ELEMENTS_SHOWN = 20

#: What is done to a key, and in which colour.
DONE: Mapping[Branch, tuple[str, str]] = {
    Branch.CONSTANT: ("set   ", "green"),
    Branch.VALUE: ("set   ", "green"),
    Branch.TRUNCATED: ("set   ", "green"),
    Branch.DEFAULT: ("set   ", "green"),
    Branch.REMOVED_MISSING: ("remove", "yellow"),
    Branch.REMOVED_NULL: ("remove", "yellow"),
    Branch.SKIPPED_MISSING: ("leave ", "dim"),
    Branch.SKIPPED_NULL: ("leave ", "dim"),
    Branch.FAILED: ("fails ", "red"),
}
#: Why, after the path of the field.
WHY: Mapping[Branch, str] = {
    Branch.VALUE: "from {path}",
    Branch.TRUNCATED: "from {path}, cut to 200 characters (too_long: truncate)",
    Branch.DEFAULT: "the default, because {path} {absent}",
    Branch.REMOVED_MISSING: "because {path} {absent} (when_missing: remove)",
    Branch.REMOVED_NULL: "because {path} {absent} (when_null: remove)",
    Branch.SKIPPED_MISSING: "because {path} {absent} (when_missing: skip)",
    Branch.SKIPPED_NULL: "because {path} {absent} (when_null: skip)",
}


def shown(value: Any, most: int = MAX_SHOWN) -> str:
    """As JSON, shortened."""
    if value is MISSING:
        return "nothing"
    text = json.dumps(value, ensure_ascii=False, default=str)
    if len(text) <= most:
        return text
    size = len(value) if isinstance(value, str | list | dict) else len(text)
    return f"{text[:most]}... ({counted(size, 'character' if isinstance(value, str) else 'element')})"


def say(*parts: str | tuple[str, str], indent: int = 0) -> None:
    """One line, which on a terminal goes on further in; elsewhere it may be long."""
    line = Text.assemble(*(harmless(part) if isinstance(part, str) else (harmless(part[0]), part[1]) for part in parts))
    width = console.width - indent if console.is_terminal else max(len(line), 1)
    first, *rest = line.wrap(console, max(width - 4, 20), overflow="fold") if len(line) > width else [line]
    console.print(Text(" " * indent) + first)
    for more in rest:
        console.print(Text(" " * (indent + 4)) + more)


def show(preview: Preview) -> None:
    for explanation in preview.explanations:
        show_explanation(explanation)
    show_calls(preview)


def show_explanation(explanation: Explanation) -> None:
    event = explanation.event
    undated = "" if explanation.dated else ", which is now: the event does not say when it happened"
    say(("event ", "bold"), f"{event.event_id} ({event.event_type}) of {when(event.occurred_at or 0)} UTC{undated}")
    if event.problem:
        say(("cannot be read: ", "red"), event.problem, indent=2)
    for before, story in pairwise([None, *explanation.rules]):
        # Rules that have nothing to do with it stand together.
        if not (before and story and before.fate is story.fate is Fate.OTHER_TYPE):
            console.print()
        if story:
            show_rule(story, event.payload)
    if idle := explanation.translation.idle:
        console.print()
        say(("nothing would be written: ", "bold"), idle)
    console.print()


def show_rule(story: RuleStory, payload: Any) -> None:
    name = ("rule ", "bold"), (story.rule.name, "bold")
    if story.fate is Fate.OTHER_TYPE:
        say(*name, (f": not for this type of event, but for {', '.join(story.rule.events)}", "dim"))
        return
    say(*name)
    if story.problem:
        say(("fails  ", "red"), story.problem, indent=2)
    elif story.for_each:
        count = len(story.scopes)
        say(
            f"for each of {story.for_each.expression.text}: {count} {'element' if count == 1 else 'elements'}", indent=2
        )
    if story.for_each and not story.scopes:
        show_steps(story.for_each, payload, indent=4)
    for scope in story.scopes[:MAX_ELEMENTS_SHOWN]:
        show_scope(story, scope)
    if len(story.scopes) > MAX_ELEMENTS_SHOWN:
        more = counted(len(story.scopes) - MAX_ELEMENTS_SHOWN, "more element")
        say((f"and {more}: --json shows all", "dim"), indent=2)


def show_scope(story: RuleStory, scope: ScopeStory) -> None:
    indent = 2
    if scope.number is not None:
        say((f"[{scope.number}]", "bold"), indent=2)
        indent = 4
    if scope.when:
        show_when(scope, scope.when, indent)
    if scope.identity:
        show_reference(story, scope, scope.identity, indent)
    if scope.occurred_at:
        show_time(scope, scope.occurred_at, indent)
    if scope.change and scope.change.ahead:
        ahead = f"dated by receipt, {when(scope.change.occurred_at)} UTC: its own time lies {span(scope.change.ahead)}"
        say(("at     ", "yellow"), f"{ahead} in the future (future_events)", indent=indent)
    rules = {rule.key: rule for rule in story.rule.fields}
    for field in scope.fields:
        show_field(field, rules[field.key], scope, indent)
    if scope.fate is Fate.NOTHING_LEFT:
        say(("nothing is left to set or to remove: no change", "dim"), indent=indent)
    if scope.fate is Fate.FAILED:
        say(("so this makes no change", "red"), indent=indent)


def show_when(scope: ScopeStory, found: Found, indent: int) -> None:
    text = found.expression.text
    if found.problem:
        say(("fails  ", "red"), f"when {text}: {found.problem}", indent=indent)
    elif scope.fate is Fate.NOT_WHEN:
        say(("skipped", "dim"), f" because when does not hold: {text} is {shown(found.value)}", indent=indent)
    else:
        say(("when   ", "dim"), f"{text} is {shown(found.value)}", indent=indent)
    show_steps(found, scope.scope, indent + 7)


def show_reference(story: RuleStory, scope: ScopeStory, found: Found, indent: int) -> None:
    origins = [one for one in (found, scope.customer) if one]
    if scope.reference is None:
        say(("fails  ", "red"), scope.reference_problem or "", indent=indent)
    else:
        whose = f"{story.rule.entity} {scope.reference}"
        paths = " and ".join(one.expression.text for one in origins)
        say(("for    ", "dim"), (whose, "cyan"), (f"   from {paths}", "dim"), indent=indent)
    for one in origins:
        whole = scope.reference is None and one.value is not MISSING
        show_steps(one, scope.scope, indent + 7, whole=whole)


def show_time(scope: ScopeStory, found: Found, indent: int) -> None:
    if scope.time is None:
        say(("fails  ", "red"), scope.time_problem or "", indent=indent)
    else:
        say(("at     ", "dim"), f"{when(scope.time)} UTC", (f"   from {found.expression.text}", "dim"), indent=indent)
    show_steps(found, scope.scope, indent + 7, whole=scope.time is None and found.value is not MISSING)


def show_field(story: FieldStory, rule: FieldRule, scope: ScopeStory, indent: int) -> None:
    done, style = DONE[story.branch]
    value = f" = {shown(story.outcome)}" if isinstance(story.outcome, str) else ""
    say((f"{done} ", style), (story.key, "bold"), value, (f"   {why(story)}", "dim"), indent=indent)
    if story.found:
        show_steps(story.found, scope.scope, indent + 7, whole=story.branch is Branch.FAILED)


def why(story: FieldStory) -> str:
    if story.found is None:
        return "a constant"
    if story.branch is Branch.FAILED:
        return (story.problem or "").removeprefix(f"field {story.key}: ")
    value = story.found.value
    absent = "finds nothing" if value is MISSING else "is null" if value is None else "is empty text"
    return WHY[story.branch].format(path=story.found.expression.text, absent=absent)


def show_steps(found: Found, scope: Any, indent: int, *, whole: bool = False) -> None:
    """What comes before the whole expression, and where paths end; `whole`: itself too."""
    *before, last = steps_of(found.expression, scope)
    for step in before:
        show_step(step, indent)
    if whole and not last.problem:
        show_step(last, indent)
    elif last.ending:
        say((last.ending, "dim"), indent=indent)


def show_step(step: Step, indent: int) -> None:
    if step.problem or step.ending:
        say((f"{step.text}: {step.problem or step.ending}", "dim"), indent=indent)
    else:
        say((f"{step.text} = {shown(step.value)}", "dim"), indent=indent)


def show_calls(preview: Preview) -> None:
    failures = sum(len(explanation.translation.failures) for explanation in preview.explanations)
    say((f"{counted(len(preview.calls), 'call')} would be made", "bold"))
    for call in preview.calls:
        say((f"POST {call.path}", "cyan"))
        for line in json.dumps(call.body, ensure_ascii=False, indent=2).split("\n"):
            console.print(harmless(line), markup=False)
    if failures:
        say((f"{counted(failures, 'failure')}: see above", "red"))


def counted(count: int, what: str) -> str:
    return f"{count or 'no'} {what}{'' if count == 1 else 's'}"
