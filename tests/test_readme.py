"""The README is up to date: its commands exist, its code runs, its links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

from linq_nb.magics.commands_spec import COMMANDS

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")


def section(title: str) -> str:
    return README.split(f"## {title}\n", 1)[1].split("\n## ", 1)[0]


@pytest.mark.parametrize("title", ["Try it", "Test it"])
def test_a_command_section_has_one_block_of_one_line(title: str) -> None:
    blocks = re.findall(r"^```(\w*)\n(.*?)^```", section(title), re.DOTALL | re.MULTILINE)
    assert len(blocks) == 1
    kind, text = blocks[0]
    assert kind == "sh"
    assert len(text.strip().splitlines()) == 1


def test_the_ten_lines_run_on_the_demo(shell: InteractiveShell, monkeypatch: Any) -> None:
    monkeypatch.chdir(ROOT)
    block = re.search(r"```python\n(.*?)```", section("Ten lines"), re.DOTALL)
    assert block is not None
    lines = block.group(1).strip().splitlines()
    assert len(lines) == 10
    results = {}
    for line in lines:
        done = shell.run_cell(line)
        done.raise_error()
        results[line.split()[0]] = done.result
    assert results["%linq_status"]["status"].tolist() == ["read", "sent"]
    assert len(shell.user_ns["outbox"].sends()) == 2


def test_every_link_leads_to_a_file() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert target.startswith("https://") or (ROOT / target).exists(), target


def test_the_magics_that_the_readme_names_exist() -> None:
    assert set(re.findall(r"%(linq_\w+)", README)) <= set(COMMANDS)


def test_the_readme_is_short() -> None:
    assert len(README.splitlines()) <= 70


def test_the_package_index_gets_absolute_addresses() -> None:
    """The wheel's metadata are made as hatchling makes them."""
    metadata = pytest.importorskip("hatchling.metadata.core")
    plugins = pytest.importorskip("hatchling.plugin.manager").PluginManager()
    core = metadata.ProjectMetadata(str(ROOT), plugins).core
    targets = re.findall(r"(!?)\[[^\]]*\]\(([^)]+)\)", core.readme)
    source = core.urls["Source"]
    assert {target for _, target in targets if not target.startswith("https://")} == set()
    pictures = [target for mark, target in targets if mark and target.startswith(source)]
    assert pictures
    assert all(target.startswith(f"{source}/raw/HEAD/notebooks/images/") for target in pictures)
