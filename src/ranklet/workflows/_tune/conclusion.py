"""What came of a search: the winner, what it is worth, and the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ranklet.evaluation.predictions import read_predictions
from ranklet.files import write_atomically
from ranklet.json_values import to_values
from ranklet.run.folder import write_json
from ranklet.search.belief import best_after, corrected_score, frontier, smallest_equal, verdict
from ranklet.search.folder import SearchFolder
from ranklet.search.page import render_search
from ranklet.search.trial import SearchResult, Trial
from ranklet.workflows._tune.start import Start
