"""The recorder: a microphone in the page, its takes in the kernel, each a VoiceMemo.

``takes`` decides with pure functions; ``widget`` talks with the page, whose side is recorder.js and recorder.css.
"""

from linq_nb.recorder.takes import Take
from linq_nb.recorder.widget import Recorder

__all__ = ["Recorder", "Take"]
