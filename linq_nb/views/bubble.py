"""The picture of a voice memo: the outgoing bubble with waveform and length, as one SVG image.

A microphone stands where player.js puts the play button: the picture itself has no button that does nothing. It
carries its own ground, so it reads the same on a light page, a dark page and where styles are stripped.
"""

from __future__ import annotations

from collections.abc import Sequence

from linq_nb.views.page import BLUE, GREY, data_url, esc

BARS = 44
"""How many bars the waveform has."""

WIDTH, HEIGHT = 300, 58
_FIRST, _STEP, _MIDDLE, _TALLEST = 60, 4, 28, 15
_BODY = (
    "M20 0H274a20 20 0 0 1 20 20V38c0 8 1 14 6 19c-7 .6-12-1-16.5-4.2"
    "C280 55 277 56 274 56H20a20 20 0 0 1-20-20V20a20 20 0 0 1 20-20Z"
)
_MICROPHONE = "M30 17a4.5 4.5 0 0 1 4.5 4.5v5.5a4.5 4.5 0 0 1-9 0v-5.5a4.5 4.5 0 0 1 4.5-4.5Z"


def image(peaks: Sequence[float] | None, length: str | None) -> str:
    """Return the bubble as an ``img``; without peaks its waveform is flat, without a length it is grey."""
    label = f"a {length} voice memo" if length else "a voice memo that is not here to hear"
    alt = f"waveform of {label}" if peaks else label
    src = data_url("image/svg+xml", svg(peaks, length).encode())
    style = "display:block;max-width:100%;height:auto;margin:0"
    return f'<img src="{src}" alt="{esc(alt)}" width="{WIDTH}" height="{HEIGHT}" style="{style}">'


def svg(peaks: Sequence[float] | None, length: str | None) -> str:
    """Draw the bubble: white on blue, a fixed size, the same bytes for the same memo."""
    ground = BLUE if length else GREY
    text = (
        f'<text x="281" y="33" text-anchor="end" fill="#fff" font-size="14" font-weight="500"'
        f' font-family="-apple-system,Segoe UI,Helvetica,Arial,sans-serif">{esc(length)}</text>'
        if length
        else ""
    )
    box = f'viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {box}><path fill="{ground}" d="{_BODY}"/>'
        f'<path fill="#fff" d="{_MICROPHONE}"/><path fill="none" stroke="#fff" stroke-width="2" stroke-linecap="round"'
        f' d="M22.5 27.5a7.5 7.5 0 0 0 15 0M30 35v4"/>'
        f'<path stroke="#fff" stroke-width="2.4" stroke-linecap="round" d="{_waveform(peaks)}"/>'
        f"{text}</svg>"
    )


def _waveform(peaks: Sequence[float] | None) -> str:
    """Return one path of upright bars; the loudest fills the bubble unless all is very quiet, silence is a dot."""
    heights = [min(max(peak, 0.0), 1.0) for peak in peaks or [0.0] * BARS]
    loudest = max(*heights, 0.1)
    halves = [max(round(_TALLEST * (height / loudest) ** 0.8 * 2) / 2, 0.5) for height in heights]  # to half a pixel
    return "".join(f"M{_FIRST + index * _STEP} {_MIDDLE - half:g}v{2 * half:g}" for index, half in enumerate(halves))
