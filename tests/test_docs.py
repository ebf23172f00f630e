"""What the docs say is true: their tables are made of the code, their mapping files lint, their commands exist."""

import re
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from bridge.cli import commands
from bridge.mapping import examples, files, lint
from bridge.mapping.compiler import compile_source
from bridge.senders import SENDERS
from tests.support import tutorial
from tests.support.making import NOW
from tests.support.tables import FILES, TABLES, filled

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
KNOWN = ("no-event-time", "capture-on")
BLOCKS = [
    (page, match.start(), match[1])
    for page in PAGES
    for match in re.finditer(r"```yaml\n(.*?)```", page.read_text(), re.DOTALL)
]


@pytest.mark.parametrize("name", TABLES)
def test_tables_are_up_to_date(name):
    assert (ROOT / "docs" / name).read_text() == filled(name), "run `make docs`"


#: What a recipe goes into that is given without a head.
HEAD = 'sender: stripe\nsecrets: ["${STRIPE_WEBHOOK_SECRET}"]\n'


def test_the_tutorial_says_what_its_commands_say(tmp_path):
    assert tutorial.PAGE.read_text() == tutorial.played(tutorial.PAGE.read_text(), tmp_path), "run `make docs`"


@pytest.mark.parametrize("name", FILES)
def test_files_that_are_made_of_the_code_are_up_to_date(name):
    assert (ROOT / name).read_text() == FILES[name](), "run `make docs`"


@pytest.mark.parametrize(("page", "start", "text"), BLOCKS, ids=lambda value: str(value)[-40:] if value else "")
def test_every_mapping_file_in_the_docs_works(page, start, text):
    line = page.read_text()[:start].count("\n") + 1
    head = HEAD if text.startswith("rules:") else ""
    source, problems = compile_source("doc", f"{page.name}:{line}", head + text, lambda _: None)
    assert [str(problem) for problem in problems if problem.level == "error"] == []
    assert list(examples.run(source, NOW)) == []
    assert warnings([*problems, *lint.run(source, NOW)]) == []


def warnings(problems):
    """But for those that follow from the sender, whatever the file says."""
    return [str(problem) for problem in problems if problem.level == "warning" and problem.code not in KNOWN]


RECIPES = dict(re.findall(r"\n### ([^\n]+)\n(.*?)(?=\n##|\Z)", (ROOT / "docs" / "recipes.md").read_text(), re.DOTALL))


@pytest.mark.parametrize("wish", RECIPES)
def test_every_recipe_is_one_mapping_with_an_example(wish):
    (block,) = re.findall(r"```yaml\n(.*?)```", RECIPES[wish], re.DOTALL)
    assert "\nexamples:\n" in block


def test_every_guarantee_has_a_test():
    text = (ROOT / "docs" / "guarantees.md").read_text()
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", text)
    assert named
    assert [name for path, name in named if f"def {name}(" not in (ROOT / path).read_text()] == []
    promises = text.partition("## Where it ends")[0]
    assert [line for line in re.split(r"\n- |\n\n", promises) if line.startswith("**") and "`tests/" not in line] == []


def test_the_hook_for_pre_commit_runs_a_command_on_mapping_files():
    (hook,) = YAML(typ="safe").load(ROOT / ".pre-commit-hooks.yaml")
    program, command, *_ = hook["entry"].split()
    assert program in (ROOT / "pyproject.toml").read_text()
    assert commands.commands[command].params[0].nargs == -1, "the hook is given the names of files"
    assert all(re.search(hook["files"], f"mappings/{source}.yaml") for source in SHIPPED.sources)
    assert hook["id"] in (ROOT / "docs" / "mapping.md").read_text()


def test_every_command_is_documented():
    text = (ROOT / "docs" / "cli.md").read_text()
    assert [name for name in commands.commands if f"`{name}" not in text] == []


@pytest.mark.parametrize("name", SENDERS)
def test_every_sender_has_a_page_and_is_listed(name):
    assert (ROOT / "docs" / "senders" / f"{name}.md").exists()
    assert f"[{name}]({name}.md)" in (ROOT / "docs" / "senders" / "README.md").read_text()


SHIPPED = files.load(ROOT / "mappings", lambda _: None)


def test_the_shipped_mappings_work():
    assert [str(problem) for problem in files.check(SHIPPED, NOW) if problem.level == "error"] == []
    assert warnings(files.check(SHIPPED, NOW)) == []


@pytest.mark.parametrize("name", [name for name, sender in SENDERS.items() if not sender.open])
def test_every_sender_has_a_shipped_mapping_with_examples(name):
    """One that changes something, and one that shows what is removed or left alone."""
    found = [source for source in SHIPPED.sources.values() if source.sender.name == name]
    assert found
    for source in found:
        assert source.secrets == ()
        assert source.unset
        assert any(example.expect for example in source.examples)
        assert any(not example.expect or "remove" in str(example.expect) for example in source.examples)


def test_the_readme_links_to_every_page():
    readme = (ROOT / "README.md").read_text()
    missing = [page.name for page in ROOT.glob("docs/*.md") if f"docs/{page.name}" not in readme]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text()):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
