"""The explorer: a log of sends to filter, sort and open, in the notebook.

``snapshot`` holds the journal as a table, ``exploration`` is the state of what is shown, ``detail`` one send's
timeline, ``export_file`` writes the chosen rows, ``picture`` draws the chart of the static record, ``explorer`` talks
to the page, whose side is explorer.js and explorer.css. All counting is in ``linq_nb.reports.tallies``.
"""

from linq_nb.explorer.explorer import Explorer

__all__ = ["Explorer"]
