"""How far the accuracy that `ranklet estimate` expects is from the true one.

    python benchmarks/estimate_accuracy.py --data ../shared/ag_news --run runs/seed-0
    python benchmarks/estimate_accuracy.py --data ../shared/ag_news \\
        --run runs/seed-0 --run runs/seed-1 --run runs/seed-2 --texts 2000

Each run estimates its accuracy on rows of test and on six shifts of them, which three are of kinds
that the estimate itself is fitted on (at other strengths) and three are not; then on `newsbites`,
short news texts from elsewhere with the same labels. Labels are read afterwards, for the table
alone. With several runs, which may differ by seed alone, the mean of their true accuracies is
compared with the mean of their estimates, too. `--held-out` takes rows of train that no run read
instead: what the method was chosen on.
"""

from __future__ import annotations

import argparse
import csv
import random
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from sample_rows import ag_news_files

import ranklet
from ranklet.data.named_sets import bundled_file
from ranklet.data.shifts import SHIFTS
from ranklet.recipe import load_recipe

MISREAD = str.maketrans("oleasi", "013@5!")
OTHER_SOURCE = "other source (newsbites)"
