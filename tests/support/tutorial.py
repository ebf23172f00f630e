"""docs/tutorial.md, played: its files are saved, its commands run, and what they say stands below them."""

import os
import re
import subprocess
import tempfile
from pathlib import Path

from tests.support.processes import ours

PAGE = Path(__file__).parent.parent.parent / "docs" / "tutorial.md"
#: What kind of block -> the file that it is.
FILES = {"json": "deal.json", "yaml": "mappings/crm.yaml"}

_BLOCK = re.compile(r"```(json|yaml|console)\n(.*?)```", re.DOTALL)


def played(text: str, folder: Path) -> str:
    """The page as it should be."""
    (folder / "mappings").mkdir()

    def play(match: re.Match[str]) -> str:
        kind, content = match[1], match[2]
        if kind in FILES:
            (folder / FILES[kind]).write_text(content)
            return match[0]
        commands = [line for line in content.splitlines() if line.startswith("$ ")]
        return "".join(["```console\n", *(f"{command}\n{output(command, folder)}" for command in commands), "```"])

    return _BLOCK.sub(play, text)


def output(command: str, folder: Path) -> str:
    _, _, *arguments = command.split()
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(PAGE.parent.parent)}
    result = subprocess.run(
        ours(*arguments),
        cwd=folder,
        env=environ,
        text=True,
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    return "".join(f"{line.rstrip()}\n" for line in result.stdout.splitlines())


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        PAGE.write_text(played(PAGE.read_text(), Path(folder)))
