"""What the page of a search says, and what it draws only where there are numbers for it."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from ranklet.search.belief import BestAfter
from ranklet.search.drawings import search_figures
from ranklet.search.page import choices_of, render_search, trial_table
from ranklet.search.trial import Estimate, SearchResult, Trial, Verdict

HOSTILE = "<script>alert('x')</script> $\\frac"
RUNGS = (1 / 9, 1 / 3, 1.0)
WORDS = "Take trial 3: it beats the recipe as it was by 1.20 points (95 % interval 0.40 to 2.00)."


def trial(number: int, *values: float, state: Any = "finished", **changes: Any) -> Trial:
    settings = {
        "training.learning_rate": 10 ** (-4 + number / 3),
        "adapter.target_modules": ["query", "value"] if number % 2 else "all-linear",
        "adapter.layers": None,
    }
    made = Trial(number, settings, settings, 1_000 * (9 - number % 9), state, values, 90, 61.5)
    return replace(made, **changes)


def search(*trials: Trial, **changes: Any) -> SearchResult:
    verdict = Verdict(True, WORDS, Estimate(0.012, 0.004, 0.02), {11: 0.91}, {11: 0.898})
    corrected = Estimate(0.9123, 0.9012, 0.9234)
    counters = {"texts tokenized": 5_000}
    made = SearchResult("accuracy", 12_345, RUNGS, trials, 3, corrected, verdict, (3,), 3, 90.0)
    return replace(made, counters=counters, **changes)


PLANTED = search(
    trial(0, 0.7, 0.8, 0.9012),
    trial(1, 0.6, state="paused"),
    trial(2, state="failed", error=f"ValueError: {HOSTILE}", traceback=f"line 1\n{HOSTILE}"),
    trial(3, 0.7, 0.85, 0.9256),
    trial(4, state="over budget"),
    trial(5, 0.2, state="diverged"),
)
CURVE = BestAfter((1, 2), (0.905, 0.92), (0.89, 0.9), (0.92, 0.93))


def many(finished: int) -> SearchResult:
    return search(
        *(trial(number, 0.9 + number / 1_000) for number in range(finished)), rungs=(1.0,)
    )


def page_of(result: SearchResult, **importance: float) -> str:
    return render_search(result, CURVE, importance or None)


def cell_texts(page: str, number: int) -> list[str]:
    """Return what stands in the row of a trial, notes included."""
    table = page[page.index('id="trial-rows"') :]
    row = re.search(rf'<tr><th scope="row" dir="auto">{number}\D.*?</tr>', table, re.DOTALL)
    assert row is not None
    cells = re.findall("<t[dh].*?</t[dh]>", row[0])
    return [re.sub("<[^>]+>", " ", cell).strip() for cell in cells]


def test_the_verdict_stands_on_top() -> None:
    page = page_of(PLANTED)
    assert page.index(WORDS) < page.index('<dl class="headline">') < page.index("<table")


def test_the_corrected_score_stands_beside_the_measured_one() -> None:
    page = page_of(PLANTED)
    assert "<b>91.23\u202f%</b>" in page
    assert "95 % interval 90.12–92.34" in page  # noqa: RUF001
    assert "<b>92.56\u202f%</b>" in page
    assert "largest of 2 finished trials" in page
    assert "<b>6,000</b>" in page
    assert "of 12,345 allowed" in page
    assert "points, 95 % interval +0.40 to +2.00" in page


def test_without_a_corrected_score_the_page_says_so() -> None:
    page = page_of(replace(PLANTED, corrected=None))
    assert "not corrected for the luck of being the largest" in page


def test_the_winner_is_shown_beside_the_recipe_as_it_was() -> None:
    page = page_of(PLANTED)
    head, rows = page.split('id="setting-rows"')[1].split("</table>")[0].split("<tbody>")
    assert re.findall(">([^<>]+)</th>", head) == ["setting", "trial 3", "trial 0"]
    assert 'training.learning_rate</th><td class="text" dir="auto">0.001</td>' in rows
    alone = page_of(replace(PLANTED, best=0))
    assert "beside the recipe as it was" not in alone


def test_every_trial_is_in_the_table_with_how_far_it_got() -> None:
    page = page_of(PLANTED)
    assert cell_texts(page, 3)[:6] == [
        "3 winner, smallest not worse",
        "finished",
        "92.56\u202f%",
        "6,000",
        "90",
        "61.5",
    ]
    assert cell_texts(page, 1)[2] == "60.00\u202f% after 11.1 %"
    assert cell_texts(page, 4)[1:3] == ["over budget", "–"]  # noqa: RUF001
    assert cell_texts(page, 0)[6:9] == ["0.0001", "all-linear", "none"]
    assert page.count('<tr><th scope="row" dir="auto">', page.index('id="trial-rows"')) == 7


def test_the_table_is_filtered_by_state_and_by_settings_of_words() -> None:
    choices = choices_of(trial_table(PLANTED))
    states = ["diverged", "failed", "finished", "over budget", "paused"]
    modules = ["all-linear", "query, value"]
    assert choices == [
        ("state", 1, states),
        ("target_modules", 7, modules),
        ("layers", 8, ["none"]),
    ]


def test_a_setting_called_like_a_column_keeps_its_whole_name() -> None:
    settings = {"training.steps": 3, "data.steps": 4, "data.rank": 2}
    table = trial_table(search(trial(0, 0.9, settings=settings)))
    assert list(table.columns[6:]) == ["training.steps", "data.steps", "rank"]


def test_a_setting_that_a_trial_lacks_is_a_dash() -> None:
    result = search(trial(0, 0.9), trial(3, 0.95, settings={"head": "linear"}))
    assert cell_texts(page_of(result), 0)[-1] == "–"  # noqa: RUF001
    assert cell_texts(page_of(result), 3)[-4:] == ["–", "–", "–", "linear"]  # noqa: RUF001


def test_what_others_wrote_is_escaped() -> None:
    hostile = {f"a.{HOSTILE}": HOSTILE, HOSTILE: [HOSTILE], "b": {HOSTILE: 1}}
    trials = [replace(part, settings={**part.settings, **hostile}) for part in PLANTED.trials]
    verdict = replace(PLANTED.verdict, words=HOSTILE)
    counters = {HOSTILE: 1}
    result = replace(PLANTED, trials=tuple(trials), verdict=verdict, counters=counters)
    page = render_search(result, CURVE, {HOSTILE: 0.5})
    assert "<script>alert" not in page
    assert page.count("&lt;script&gt;alert") > 20


def test_failures_are_shown_with_their_traceback() -> None:
    page = page_of(PLANTED)
    assert "What failed" in page
    assert "<pre>line 1\n&lt;script&gt;" in page
    assert "ValueError: &lt;script&gt;" in cell_texts(page, 2)[-1]
    assert "What failed" not in page_of(search(trial(0, 0.9), trial(3, 0.95)))


def test_early_rungs_come_with_their_warning() -> None:
    warning = "a low learning rate looks better there than it is at the end"
    assert warning in page_of(PLANTED)
    assert warning not in page_of(replace(PLANTED, rungs=(1.0,)))
    assert "rungs" in search_figures(PLANTED, None, None)
    assert "rungs" not in search_figures(replace(PLANTED, rungs=(1.0,)), None, None)


@pytest.mark.parametrize(("finished", "is_drawn"), [(49, False), (50, True)])
def test_importance_needs_fifty_finished_trials(finished: int, is_drawn: bool) -> None:
    page = page_of(many(finished), learning_rate=0.75)
    assert (f"Importance, from {finished} finished trials" in page) is is_drawn
    assert (f"of fewer it is mostly luck; here {finished} finished." in page) is not is_drawn


def test_importance_that_was_not_computed_is_missed() -> None:
    assert "How much each setting matters was not computed." in page_of(many(50))


def test_the_smallest_that_is_not_worse_is_named() -> None:
    result = replace(PLANTED, frontier=(0, 3), smallest=0)
    assert "Trial 0 trains 9,000 parameters, 150\u202f% of the winner" in page_of(result)
    assert "every smaller trial of the frontier worse" in page_of(PLANTED)
    without = page_of(replace(PLANTED, frontier=(), smallest=None))
    assert "paired test" not in without


def test_a_search_without_a_winner_has_a_page() -> None:
    verdict = Verdict(False, "Keep the recipe as it is: no trial finished.")
    empty: dict[str, Any] = {"best": None, "corrected": None, "verdict": verdict}
    empty |= {"frontier": (), "smallest": None, "counters": {}}
    result = replace(PLANTED, trials=PLANTED.trials[2:3], **empty)
    page = render_search(result, None, None)
    assert verdict.words in page
    assert 'id="winner"' not in page
    assert "What was shared" not in page
    assert verdict.words in render_search(replace(result, trials=()), None, None)


def test_a_loss_is_no_percentage() -> None:
    trials = (trial(0, -0.31), trial(3, -0.25))
    corrected = Estimate(-0.27, -0.3, -0.24)
    verdict = replace(PLANTED.verdict, difference=Estimate(0.05, 0.01, 0.09))
    result = search(*trials, metric="loss", corrected=corrected, verdict=verdict, rungs=(1.0,))
    page = page_of(result)
    assert "<b>-0.2700</b>" in page
    assert "95 % interval -0.3000 to -0.2400" in page
    assert cell_texts(page, 3)[2] == "-0.2500"
    assert "negative loss (%)" not in page
    assert "points, 95 %" not in page


def test_it_may_load_nothing() -> None:
    page = page_of(PLANTED)
    assert "default-src 'none'" in page
    assert not re.search(r'(src|href)="(?!data:|#)', page)
