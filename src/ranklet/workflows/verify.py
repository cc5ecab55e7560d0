"""Derive everything that a run states once more, and compare.

The certificate is no signature: whoever changes a file and every hash of it is noticed only by what
is computed again here, which is the counts, the plan, the probe logits and, with data, the figure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ranklet.data.reading.memory import Data
from ranklet.encoder.precision import prepare_memory
from ranklet.errors import DataError, RankletError
from ranklet.run.folder import Run, open_run
from ranklet.run.model_source import ModelSource, as_model_source
from ranklet.workflows._verify.checks import (
    Finding,
    State,
    check_adapter,
    check_certificate,
    check_data,
    check_encoder,
    check_evaluations,
    check_figure,
    check_metrics,
    check_model,
    check_others,
    check_plan,
    check_probe_logits,
    check_recipe,
    check_saved,
    named_data,
)
from ranklet.workflows._verify.claims import StatedRun


@dataclass(frozen=True)
class Check:
    """What one check of a run found.

    Attributes:
        name: What was checked.
        state: `ok`, `differs` or `not checked`.
        detail: What agrees, what differs, or why it was not checked.
    """

    name: str
    state: State
    detail: str


def verify(
    run: str | Path | Run | ModelSource,
    data: Data | None = None,
) -> tuple[Check, ...]:
    """Derive again what a run states: plan, counts, hashes, probe logits, test figure.

    Args:
        run: A finished run; a `ModelSource` says with which encoder, where and in which compute
            dtype it is computed again, `auto` being what the run's recipe says.
        data: Test data, a source or in memory, to compute the test figure again; None: the figure
            is not computed.

    Returns:
        One entry for each check; the run is as it states where none differs.

    Raises:
        RunError: There is no finished run.
        DataError: The data cannot be read.
    """
    source = as_model_source(run)
    stated = StatedRun(open_run(source.folder), source.encoder, source.device, source.precision)
    prepare_memory()
    return tuple(_checks(stated, data))


def _checks(stated: StatedRun, data: Data | None) -> Iterator[Check]:
    unreachable = _why_no_encoder(stated)
    yield _checked("certificate", check_certificate, stated)
    yield _checked("recipe", check_recipe, stated)
    # The sizes of a known encoder need no files; those of another one do.
    yield _checked("plan", check_plan, stated, excuse=unreachable)
    for name, check in (
        ("adapter", check_adapter),
        ("saved tensors", check_saved),
        ("metrics", check_metrics),
        ("evaluation", check_evaluations),
        ("other files", check_others),
    ):
        yield _checked(name, check, stated)
    for split in ("train", "validation", "test"):
        source = named_data(stated, split)
        if source is not None:
            same = partial(check_data, split=split, source=source)
            yield _checked(f"{split} data", same, stated)
    for name, check in (
        ("encoder", check_encoder),
        ("reloaded model", check_model),
        ("probe logits", check_probe_logits),
        ("test figure", partial(check_figure, data=data)),
    ):
        if unreachable is None:
            yield _checked(name, check, stated)
        else:
            yield Check(name, "not checked", unreachable)


def _checked(
    name: str, check: Callable[[StatedRun], Finding], stated: StatedRun, excuse: str | None = None
) -> Check:
    try:
        state, detail = check(stated)
    except DataError:
        raise  # of --data, the only data that is read: the user's mistake, not the run's
    except RankletError as error:
        state, detail = ("not checked", excuse) if excuse else ("differs", str(error))
    return Check(name, state, " ".join(detail.split()))


def _why_no_encoder(stated: StatedRun) -> str | None:
    try:
        _ = stated.saved.encoder.folder
    except RankletError as error:
        return str(error)
    return None
