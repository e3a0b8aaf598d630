"""Remakes the pictures of the README and the manual: ``python tests/browser/pictures.py [NAME...]``.

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
from PIL import Image, ImageOps

from linq_nb.demo import sample

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
IMAGES = NOTEBOOKS / "images"
COLOURS = 128


@dataclass(frozen=True)
class Picture:
    """Cells to run and the index of the one to shoot; the page is ``width`` points wide, ``height`` high.

    ``act`` is what a person does in the cell before the shot, ``part`` what of the cell is shot, where not all.
    """

    cells: tuple[str, ...]
    shoot: int = -1
    width: int = 860
    height: int = 900
    theme: str = "light"
    act: Callable[[Any], None] | None = None
    part: str = ""


def fill_in(cell: Any) -> None:
    """Choose a chat and a memo in the form of a cell."""
    form = FormPage(cell).choose("Book Club")
    form.chat.fill("")
    form.give("audio/hello.m4a")
    form.button("^Send 0:05 to Book Club").wait_for()


def send_it(cell: Any) -> None:
    """Fill in the form of a cell and press its button."""
    fill_in(cell)
    form = FormPage(cell)
    form.button("^Send 0:05 to Book Club").click()
    form.recipient("Book Club", "sent").wait_for()


FORM = ("%load_ext linq_nb\n%linq_connect --demo --fresh --quiet\n%linq_form",)
PICTURES = {
    "card": Picture(
        cells=('from linq_nb import VoiceMemo\n\nVoiceMemo.from_file("audio/hello.m4a")',),
    ),
    "form": Picture(cells=FORM, act=fill_in, part=".linq-nb-form"),
    "sent": Picture(cells=FORM, act=send_it, height=1400, part=".linq-nb-form"),
    "explore": Picture(
        cells=(
            "import linq_nb\noutbox = linq_nb.connect(demo=True, fresh=True)\n"
            "outbox.replay(outbox.demo.month(5_000))\nlinq_nb.Explorer(outbox)",
        ),
        width=1200,
        height=1600,
        act=lambda cell: cell.locator("tbody tr").nth(4).wait_for(),
        part=".linq-x",
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

TOUR = {"form": 3, "sent": 3, "explore": 5}
"""The pictures of the README's animation, each with its seconds. Only the tour keeps ``sent``."""
TOUR_SIZE = (1100, 960)


def make_tour() -> None:
    """Join the pictures of the tour in one animated file."""
    frames = []
    for name in TOUR:
        with Image.open(IMAGES / f"{name}.png") as picture:
            shown = ImageOps.pad(picture.convert("RGB"), TOUR_SIZE, color="white", centering=(0.5, 0))
        frames.append(shown.quantize(COLOURS, dither=Image.Dither.NONE))
    times = [1000 * seconds for seconds in TOUR.values()]
    frames[0].save(IMAGES / "tour.gif", save_all=True, append_images=frames[1:], duration=times, loop=0, optimize=True)
    (IMAGES / "sent.png").unlink()


def shoot(notebook: Notebook, picture: Picture, file: Path) -> None:
    """Run the cells and keep a picture of one of them."""
    notebook.page.set_viewport_size({"width": picture.width, "height": picture.height})
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
    """Reduce the colours to the number that an eye distinguishes in a page."""
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
    """Remake the named pictures, or all of them; ``tour`` stands for those that it joins."""
    names = [name for wanted in names for name in (TOUR if wanted == "tour" else [wanted])] or list(PICTURES)
    if reason := missing():
        sys.exit(reason)
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "notebooks"
        shutil.copytree(sample().parent, root / "audio")
        with (
            running_lab(root, Path(folder) / "jupyter") as lab,
            open_page(lab, device_scale_factor=2) as page,
            Guard(page, lab.url) as guard,
        ):
            for name in names:
                shoot(Notebook(page, lab, name), PICTURES[name], IMAGES / f"{name}.png")
        guard.check()
    if set(TOUR) <= set(names):
        make_tour()


if __name__ == "__main__":
    main(sys.argv[1:])
