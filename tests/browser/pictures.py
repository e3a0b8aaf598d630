"""Remakes the pictures of the README: ``python tests/browser/pictures.py [NAME...]``.

Each is what JupyterLab shows after the cells of a row of ``PICTURES`` have run, at two pixels a point, as a small PNG.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from browsing import Guard, Notebook, missing, open_page, running_lab
from forming import FormPage
from PIL import Image
from shared import AUDIO

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
IMAGES = NOTEBOOKS / "images"
COLOURS = 128


@dataclass(frozen=True)
class Picture:
    """Cells to run and the index of the one to shoot; the page is ``width`` points wide.

    ``act`` is what a person does in the cell before the shot, ``part`` what of the cell is shot, where not all.
    """

    cells: tuple[str, ...]
    shoot: int = -1
    width: int = 860
    theme: str = "light"
    act: Callable[[Any], None] | None = None
    part: str = ""


def fill_in(cell: Any) -> None:
    """Choose a chat and a memo in the form of a cell."""
    form = FormPage(cell).choose("Book Club")
    form.chat.fill("")
    form.give("audio/hello.m4a")
    form.button("^Send 0:05 to Book Club").wait_for()


PICTURES = {
    "card": Picture(
        cells=('from linq_nb import VoiceMemo\n\nVoiceMemo.from_file("audio/hello.m4a")',),
    ),
    "frame": Picture(
        cells=(
            "%load_ext linq_nb\n%linq_connect --demo --quiet\n"
            "chats = ['Ada Lovelace', 'Book Club', 'Sam SMS', 'Kim Second Line', 'Dee Daily Cap', 'Lou Lost Answer']\n"
            "for chat in chats:\n    try:\n"
            "        %linq_voicememo audio/hello.m4a --chat {chat} --quiet\n"
            "    except Exception as error:\n        pass\n"
            "%linq_status --quiet",
            "%linq_sends --into sends --quiet\n"
            "sends[['chat_name', 'status', 'http_status', 'error_code', 'service', 'delivery_s']].round(1)",
        ),
        width=900,
    ),
    "form": Picture(
        cells=("%load_ext linq_nb\n%linq_connect --demo --quiet\n%linq_form",),
        act=fill_in,
        part=".linq-nb-form",
    ),
    "board": Picture(
        cells=(
            "import linq_nb\noutbox = linq_nb.connect(demo=True, fresh=True)\n"
            "memo = linq_nb.VoiceMemo.from_file('audio/hello.m4a')\n"
            "names = ['Ada Lovelace', 'Book Club', 'Sam SMS', 'Rosa RCS', 'Finn Fails', 'Lee Blocked', 'Linus Email']\n"
            "plan = outbox.plan([linq_nb.Draft(memo=memo, chat=outbox.demo.chat_ids[name]) for name in names])\n"
            "batch = outbox.send_all(plan)\nbatch.wait()",
            "linq_nb.StatusBoard(outbox, batch)",
        ),
        act=lambda cell: cell.get_by_text("delivered", exact=True).nth(1).wait_for(timeout=60_000),
    ),
}


def shoot(notebook: Notebook, picture: Picture, file: Path) -> None:
    """Run the cells and keep a picture of one of them."""
    notebook.page.set_viewport_size({"width": picture.width, "height": 900})
    notebook.open(*picture.cells)
    notebook.theme(picture.theme)
    notebook.page.evaluate("() => window.jupyterapp.shell.collapseLeft()")
    for index in range(len(picture.cells)):
        notebook.run(index)
    cell = notebook.cell(picture.shoot % len(picture.cells))
    if picture.act:
        picture.act(cell)
    _settle(notebook.page, cell)
    (cell.locator(picture.part).first if picture.part else cell).screenshot(path=file)
    _shrink(file)
    notebook.close()


def _shrink(file: Path) -> None:
    """Keep so many colours as an eye tells apart in a page."""
    with Image.open(file) as picture:
        small = picture.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    small.save(file, optimize=True)


def _settle(page: Any, cell: Any) -> None:
    """Wait for images and players to be drawn, and take the marks of the active cell away."""
    cell.locator("img").evaluate_all("images => Promise.all(images.map(image => image.decode()))")
    for player in cell.locator("audio").all():
        player.evaluate("player => player.readyState || new Promise(done => player.onloadedmetadata = done)")
    cell.evaluate("cell => cell.classList.remove('jp-mod-active', 'jp-mod-selected')")
    cell.locator(".jp-cell-toolbar").evaluate_all("bars => bars.forEach(bar => bar.remove())")
    page.evaluate("() => document.activeElement?.blur()")
    page.mouse.move(0, 0)


def main(names: list[str]) -> None:
    """Remake the named pictures, or all of them."""
    if reason := missing():
        sys.exit(reason)
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "notebooks"
        shutil.copytree(AUDIO, root / "audio")
        with (
            running_lab(root, Path(folder) / "jupyter") as lab,
            open_page(lab, device_scale_factor=2) as page,
            Guard(page, lab.url) as guard,
        ):
            for name in names or PICTURES:
                shoot(Notebook(page, lab, name), PICTURES[name], IMAGES / f"{name}.png")
        guard.check()


if __name__ == "__main__":
    main(sys.argv[1:])
