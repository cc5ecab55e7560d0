"""Figures of a training, of its data and of an evaluation, and the files they are written to.

A figure is a `Drawing`: its numbers, and how they are drawn. Captions and places on the page belong
to the report.
"""

from __future__ import annotations

from ranklet.evaluation.report.figures.budget import budget_figures
from ranklet.evaluation.report.figures.data import data_figures
from ranklet.evaluation.report.figures.drawing import Drawing, figure_name, figure_svg, save_figures
from ranklet.evaluation.report.figures.evaluation import evaluation_figures
from ranklet.evaluation.report.figures.stress import stress_figures
from ranklet.evaluation.report.figures.training import Record, training_figures

__all__ = [
    "Drawing",
    "Record",
    "budget_figures",
    "data_figures",
    "evaluation_figures",
    "figure_name",
    "figure_svg",
    "save_figures",
    "stress_figures",
    "training_figures",
]
