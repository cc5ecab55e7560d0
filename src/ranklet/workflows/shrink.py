"""Cut a trained adapter to a smaller budget."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ranklet.budget.plan import count_trainable, enforce_budget
from ranklet.classifier import ClassifierNetwork
from ranklet.data.encoded_splits import EncodedSplit
from ranklet.data.reading.columns import AS_IN_RUN, Columns
from ranklet.data.reading.memory import IN_MEMORY, Data, as_source
from ranklet.encoder.precision import choose_device, prepare_memory
from ranklet.errors import (
    AdapterError,
    BudgetExceededError,
    DataError,
    RunError,
)
from ranklet.evaluation.answers import evaluate_on
from ranklet.evaluation.result import Evaluation
from ranklet.files import sha256_file, write_atomically
from ranklet.head import module_device
from ranklet.json_values import to_values
from ranklet.local_paths import shared_model, shortened
from ranklet.lora.adapter_file import TENSORS_FILE, AdapterFile, as_plain_lora
from ranklet.lora.initial import plain_tensors
from ranklet.lora.shrink import (
    Spectrum,
    choose_ranks,
    indispensable,
    kept_energy,
    smallest_cost,
    spectra,
    truncate_adapter,
)
from ranklet.recipe import Recipe, load_recipe, recipe_hash
from ranklet.run.certificate import certified_data, certify_run, write_manifest
from ranklet.run.environment import environment, peak_memory_bytes
from ranklet.run.folder import Run, write_json
from ranklet.run.model_card import cut_adapter_card
from ranklet.run.model_source import (
    ModelSource,
    as_model_source,
    dtype_of_trained,
    read_classifier,
    run_of,
)
from ranklet.run.new_run import check_vacant, new_run
from ranklet.run.writing import write_adapter, write_evaluations, write_recipe
from ranklet.saved.assembly import assemble
from ranklet.saved.model import SavedClassifier, build_saved, save_and_reload
from ranklet.saved.probes import check_probes, compute_dtype
from ranklet.workflows.from_recipe.labelled_texts import read_labelled
from ranklet.workflows.from_recipe.own_validation import own_validation
from ranklet.workflows.from_recipe.placement import plan_for_labels
from ranklet.workflows.from_recipe.ranks import cut_recipe

REMEDY = "give other data with --data"


@dataclass(frozen=True)
class ShrinkResult:
    """What was cut, and what it cost.

    Attributes:
        folder: The new run or adapter folder.
        parameters: Trained parameters before and after.
        modules: Adapted modules before and after.
        kept_energy: Share, 0..1, of the squared singular values of all updates.
        validation: What was evaluated, or why nothing was.
        before: Figures of the classifier as it was, or None.
        after: Figures of the shrunk one, or None.
    """

    folder: Path
    parameters: tuple[int, int]
    modules: tuple[int, int]
    kept_energy: float
    validation: str
    before: Evaluation | None
    after: Evaluation | None


def shrink(
    model: str | Path | Run | ModelSource,
    budget: int,
    out: str | Path,
    data: Data | None = None,
    *,
    columns: Columns = AS_IN_RUN,
) -> ShrinkResult:
    """Cut a trained adapter to a budget and write it as a new run, or as an adapter folder.

    Of every update the largest singular values stay; over all modules, those with the least energy
    for each parameter go. Head, biases, norms and thresholds stay as they are, and nothing is
    trained. A run becomes a run, whose recipe names the ranks that are left; a bare adapter becomes
    an adapter folder.

    Args:
        model: A run, an adapter folder, or a `ModelSource`.
        budget: Most trained parameters of the result, the head included.
        out: Folder to write; must be vacant, but for the unfinished beginning of this very run.
        data: Data with labels to measure on, a source or in memory; None: the validation texts of
            the run.
        columns: Where texts and labels of `data` stand.

    Raises:
        BudgetExceededError: No adapter is small enough; names the smallest budget that works.
        RunError: There is no such run, it answers differently, or `out` cannot be written.
        DataError: The data cannot be used.
        RankletError: The classifier cannot be loaded.
    """
    options = as_model_source(model)
    folder = Path(out)
    run = run_of(options)
    recipe = None if run is None else load_recipe(run.recipe)
    hashes = None if run is None else certified_data(run)
    mark = None if recipe is None else {"shrunk": recipe_hash(recipe), "budget": budget}
    _check_out(folder, mark)
    prepare_memory()
    place = choose_device(options.device)
    dtype = dtype_of_trained(run, options.precision, place)
    compute: dict[str, Any] = {"dtype": dtype, "device": place}
    saved = read_classifier(options)
    _refuse_what_cannot_shrink(saved)
    network = build_saved(saved, **compute)
    check_probes(network, saved.probes)

    # A start that PEFT subtracts is part of the update that is cut.
    start = plain_tensors(network, saved.adapter.tensors)[1]
    adapter = as_plain_lora(network, saved.adapter)
    parts, total = spectra(adapter), count_trainable(network) + start
    ranks = _ranks(adapter, parts, total, budget)
    cut = truncate_adapter(adapter, parts, ranks)
    smaller = assemble(saved.settings, saved.encoder, saved.labels, cut, **compute)

    split = "validation"
    if data is None:
        texts, measured = _own_validation(run)
    else:
        given = as_source(data)
        split = measured = given if isinstance(given, str) else IN_MEMORY
        texts = read_labelled(given, "validation", options, network, columns)
    seed = 0 if recipe is None else recipe.seed
    before, after = (
        None if texts is None else evaluate_on(classifier, texts, split, seed)
        for classifier in (network, smaller)
    )
    shrunk = ShrinkResult(
        folder=folder,
        parameters=(total, count_trainable(smaller)),
        modules=(len(adapter.placements), len(cut.placements)),
        kept_energy=kept_energy(parts, ranks),
        validation=measured,
        before=before,
        after=after,
    )
    if mark is None or recipe is None:
        card = cut_adapter_card(
            shared_model(saved.settings.encoder),
            saved.labels.names,
            saved.settings.problem_type,
            *shrunk.parameters,
            shrunk.kept_energy,
        )
        save_and_reload(folder, smaller, saved.settings, cut, card)
    else:
        same = recipe.model_copy(update={"encoder": saved.encoder.name})
        smaller_recipe = cut_recipe(same, adapter.placements, cut, budget)
        _write_run(shrunk, mark, smaller_recipe, smaller, saved, cut, hashes or {})
    return shrunk


def _check_out(folder: Path, mark: Mapping[str, Any] | None) -> None:
    check_vacant(folder, mark)
    if mark is None and folder.exists():
        raise RunError(f"{folder}: exists already; choose another --out")


def _refuse_what_cannot_shrink(saved: SavedClassifier) -> None:
    if not saved.adapter.placements:
        raise AdapterError(f"{saved.folder}: a whole classifier has no adapter to shrink")
    if saved.adapter.use_dora:
        raise AdapterError(
            f"{saved.folder}: use_dora: trained lengths belong to whole updates, which shrink "
            "would cut; train with a smaller adapter.rank instead"
        )


def _ranks(
    adapter: AdapterFile, parts: Mapping[str, Spectrum], total: int, budget: int
) -> dict[str, int]:
    costs = {module: part.parameters_per_rank for module, part in parts.items()}
    adapters = sum(placement.rank * costs[placement.module] for placement in adapter.placements)
    fixed, needed = total - adapters, indispensable(adapter)
    smallest = fixed + smallest_cost(costs, needed)
    if budget < smallest:
        raise BudgetExceededError(
            f"budget: {budget:,} parameters hold no adapter beside the {fixed:,} of head and "
            f"biases; the smallest budget that works is {smallest:,}",
            smallest,
            budget,
        )
    values = {module: part.values for module, part in parts.items()}
    return choose_ranks(values, costs, budget - fixed, needed)


def _own_validation(run: Run | None) -> tuple[EncodedSplit | None, str]:
    """Find the texts that a run was validated on; else say why there are none."""
    if run is None:
        return None, "not measured: a bare adapter names no data; give some with --data"
    try:
        return own_validation(run, REMEDY), "validation texts of the run"
    except (DataError, RunError) as error:
        return None, f"not measured: {error}"


def _write_run(
    shrunk: ShrinkResult,
    mark: Mapping[str, Any],
    recipe: Recipe,
    model: ClassifierNetwork,
    parent: SavedClassifier,
    adapter: AdapterFile,
    data: Mapping[str, str],
) -> None:
    plan = plan_for_labels(recipe, parent.encoder, len(model.labels))
    enforce_budget(plan)
    evaluations = {} if shrunk.after is None else {"validation": shrunk.after}
    with new_run(shrunk.folder, mark) as run:
        recipe = write_recipe(run, recipe)
        write_json(run.plan, plan.to_json())
        saved = write_adapter(run, recipe, plan, model, parent.settings, adapter, evaluations)
        about = {
            "machine": environment(module_device(model), compute_dtype(model)),
            "seed": recipe.seed,
            "shrunk": {
                "adapter": sha256_file(parent.folder / TENSORS_FILE),
                **to_values(replace(shrunk, folder=Path(shortened(str(shrunk.folder))))),
            },
            "peak_memory_bytes": peak_memory_bytes(),
        }
        write_json(run.environment, about)
        write_evaluations(run, evaluations)
        # Nothing was trained again: it is trained from what its parent was trained from.
        described = Run(parent.folder.parent).data
        if described.is_file():
            write_atomically(run.data, described.read_bytes())
        certificate = certify_run(run, recipe, plan, model, saved, data)
        write_manifest(run)
        write_json(run.certificate, certificate)
