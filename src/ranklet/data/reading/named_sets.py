"""Data sets that have a name of their own in recipes.

`newsbites` is bundled: 800 invented news items, 4 classes. `ag_news` lies on the hub.
"""

from __future__ import annotations

from pathlib import Path

from ranklet.data.hints import listed
from ranklet.errors import DataError
from ranklet.vocabulary import BUNDLED_SAMPLE

BUNDLED_SETS = {BUNDLED_SAMPLE: ("train", "test")}
HUB_SETS = {"ag_news": "fancyzhx/ag_news"}
NAMED_SETS = (*BUNDLED_SETS, *HUB_SETS)
# In the order of the integers that stand for them in the original data.
NEWS_LABELS = ("World", "Sports", "Business", "Sci/Tech")
SET_LABELS = {BUNDLED_SAMPLE: NEWS_LABELS, "ag_news": NEWS_LABELS}


def bundled_file(name: str, split: str) -> Path:
    """Return the file of one split of a bundled data set.

    Raises:
        DataError: A split that the set does not have.
    """
    splits = BUNDLED_SETS[name]
    if split not in splits:
        raise DataError(f"has no split {split!r}; its splits are {listed(splits)}", name)
    return Path(__file__).parents[1] / name / f"{split}.csv"
