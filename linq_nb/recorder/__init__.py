"""The recorder: a microphone in the page, its takes in the kernel, each a VoiceMemo.

``takes`` decides with pure functions; ``recorder`` talks to the page, whose side is recorder.js and recorder.css.
"""

from linq_nb.recorder.recorder import Recorder
from linq_nb.recorder.takes import Take

__all__ = ["Recorder", "Take"]
