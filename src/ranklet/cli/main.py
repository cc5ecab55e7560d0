"""The verbs of the command line. Each imports its workflow when it is called."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import typer

from ranklet.cli import render
from ranklet.cli.audit import audit
from ranklet.cli.compare import compare
from ranklet.cli.ending import exit_code_of
from ranklet.cli.estimate import estimate
from ranklet.cli.options import (
    DeviceOption,
    EncoderOption,
    JsonOption,
    LabelColumnOption,
    LabelsOption,
    ModelArgument,
    PrecisionOption,
    TextColumnOption,
    names_of,
)
from ranklet.cli.stress import stress

app = typer.Typer(
    name="ranklet",
    help="Fine-tune text encoders into text classifiers under a hard budget of trained parameters.",
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
recipes_app = typer.Typer(help="List the built-in recipes, or show one.", no_args_is_help=False)
app.add_typer(recipes_app, name="recipes", invoke_without_command=True)

RecipeArgument = Annotated[str, typer.Argument(help="Built-in recipe, or a YAML file.")]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change a field, such as adapter.rank=4."),
]


def _print_version(wanted: bool) -> None:
    if wanted:
        from ranklet import __version__

        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def main(
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks of errors.")] = False,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Take the options that stand before the verb."""
    # run() reads --debug, for it also sees errors of the command line itself.
    del debug, version


@app.command()
def plan(
    recipe: RecipeArgument,
    set_: SetOption = None,
    fit: Annotated[
        int | None,
        typer.Option(metavar="BUDGET", min=1, help="Choose the ranks so that they fit a budget."),
    ] = None,
    frontier: Annotated[
        bool, typer.Option("--frontier", help="Show what each of a series of budgets buys.")
    ] = False,
    tree: Annotated[
        bool, typer.Option("--tree", help="Name every module by layer, with rank and alpha.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Count what a recipe would train; only adapter.fit_mode measured reads data and weights."""
    from ranklet.budget.plan import enforce_budget
    from ranklet.recipe import load_recipe
    from ranklet.workflows.plan import plan

    asked = [] if fit is None else [f"budget={fit}", f"adapter.fit={fit}"]
    wanted = load_recipe(recipe, [*(set_ or []), *asked])
    if frontier and wanted.adapter.fit is None:
        # Read again, so that it has the placement of a recipe with a budget to fit.
        wanted = load_recipe(recipe, [*(set_ or []), f"adapter.fit={wanted.budget}"])
    if frontier or wanted.adapter.fit_mode == "measured":
        from ranklet.workflows import fit_ranks  # heavier than a plan from shapes

        if frontier:
            render.print_frontier(fit_ranks.frontier(wanted), as_json=json)
            return
        wanted = fit_ranks.fit_ranks(wanted)
    counted = plan(wanted)
    if json:
        render.print_json(counted.to_json())
    elif tree:
        render.print_plan_tree(counted)
    else:
        render.print_plan(counted)
    enforce_budget(counted)


@app.command()
def train(
    recipe: RecipeArgument,
    set_: SetOption = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the run; default: a new one below runs/.")
    ] = None,
    seeds: Annotated[
        str | None,
        typer.Option(metavar="0..4", help="One run a seed (0..4 or 0,3,7) and their mean and std."),
    ] = None,
    track: Annotated[
        Literal["tensorboard"] | None,
        typer.Option(help="Write TensorBoard's events into the run too (extra track)."),
    ] = None,
) -> None:
    """Train a classifier under its budget and write the run."""
    from ranklet.launch import read_launch
    from ranklet.recipe import load_recipe
    from ranklet.run.folder import Run, free_folder
    from ranklet.workflows.train import RUNS_FOLDER, train

    launch = read_launch()
    if out is None:
        launch.refuse_several("a folder of its own for each start", "name one with --out")
    if seeds is not None:
        launch.refuse_several("--seeds", "start one training for each seed")
    resolved = load_recipe(recipe, set_ or [])
    if launch.rank:
        train(resolved, out)  # rank 0 does the talking
        return
    folder = free_folder(RUNS_FOLDER, Path(recipe).stem) if out is None else out
    observe = partial(render.training_observer, track=track)
    if seeds is not None:
        from ranklet.workflows.train_seeds import train_seeds

        render.print_seeds(train_seeds(resolved, _seeds(seeds), folder, open_observer=observe))
        return
    with observe(Run(folder)) as observer:
        run = train(resolved, folder, observer=observer)
    render.print_run(run)
    if render.was_interrupted(run):
        raise typer.Exit(130)


@app.command()
def evaluate(
    model: ModelArgument,
    data: Annotated[
        str | None, typer.Option(help="Labelled data; default: the test data of the run.")
    ] = None,
    text_column: TextColumnOption = None,
    encoder: EncoderOption = None,
    labels: LabelsOption = None,
    label_column: LabelColumnOption = None,
    details: Annotated[
        bool, typer.Option("--details", help="Print calibration, coverage and parts of the texts.")
    ] = False,
    slice_by: Annotated[
        list[str] | None,
        typer.Option(metavar="COLUMN", help="Tell texts apart by a column (repeat for several)."),
    ] = None,
    accuracy: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Find the confidence above which it is reached."),
    ] = None,
    errors: Annotated[
        Path | None, typer.Option(help="csv file to write with the texts labelled wrong.")
    ] = None,
    device: DeviceOption = "auto",
    precision: PrecisionOption = "auto",
    json: JsonOption = False,
) -> None:
    """Evaluate a classifier: every figure with its 95 % interval."""
    from ranklet.evaluation.result import to_json
    from ranklet.workflows.evaluate import evaluate

    evaluation = evaluate(
        model,
        data,
        text_column=text_column or None,
        encoder=encoder,
        label_names=names_of(labels),
        label_column=label_column,
        slice_by=slice_by or (),
        accuracy=accuracy,
        errors=errors,
        device=device,
        precision=precision,
    )
    if json:
        render.print_json(to_json(evaluation))
    else:
        render.print_evaluation(evaluation, details=details, slice_by=slice_by or ())


@app.command()
def predict(
    model: ModelArgument,
    source: Annotated[
        Path, typer.Argument(metavar="INPUT", help="Texts: csv, tsv, jsonl, parquet or txt.")
    ],
    output: Annotated[Path, typer.Option(help="File to write: csv, tsv or jsonl.")],
    text_column: TextColumnOption = None,
    encoder: EncoderOption = None,
    labels: LabelsOption = None,
    probabilities: Annotated[
        bool, typer.Option("--probabilities", help="Write the probability of every label.")
    ] = False,
    submission: Annotated[
        bool, typer.Option("--submission", help="Write ID,Label with integer labels.")
    ] = False,
    device: DeviceOption = "auto",
    precision: PrecisionOption = "auto",
    compile: Annotated[
        bool, typer.Option("--compile", help="Compile the layers first, for long files.")
    ] = False,
) -> None:
    """Predict a label for every text of a file, in its order."""
    from ranklet.workflows.predict import predict

    with render.text_counter() as observe:
        done = predict(
            model,
            source,
            output,
            text_column=text_column or None,
            encoder=encoder,
            label_names=names_of(labels),
            all_probabilities=probabilities,
            submission=submission,
            device=device,
            precision=precision,
            compile=compile,
            observe=observe,
        )
    typer.echo(f"{output}: {done:,} texts", err=True)


@app.command()
def classify(
    model: ModelArgument,
    texts: Annotated[list[str], typer.Argument(metavar="TEXT...", help="Texts to classify.")],
    encoder: EncoderOption = None,
    labels: LabelsOption = None,
    device: DeviceOption = "auto",
    precision: PrecisionOption = "auto",
    json: JsonOption = False,
) -> None:
    """Print the label and the probabilities of a few texts."""
    from ranklet.workflows.classify import classify

    answers = classify(
        model,
        texts,
        encoder=encoder,
        label_names=names_of(labels),
        device=device,
        precision=precision,
    )
    if json:
        render.print_classifications_json(answers)
    else:
        render.print_classifications(answers)


@app.command()
def verify(
    run: Annotated[Path, typer.Argument(help="Folder of a finished run.")],
    data: Annotated[
        str | None, typer.Option(help="The test data, to compute the test figure again.")
    ] = None,
    encoder: EncoderOption = None,
    device: DeviceOption = "auto",
    precision: PrecisionOption = "auto",
    json: JsonOption = False,
) -> None:
    """Derive again what a run states: plan, counts, hashes, probe logits, test figure."""
    from ranklet.workflows.verify import verify

    checks = verify(run, data, encoder=encoder, device=device, precision=precision)
    if json:
        render.print_checks_json(checks)
    else:
        render.print_checks(checks)
    if any(check.state == "differs" for check in checks):
        raise typer.Exit(1)


@app.command()
def shrink(
    model: ModelArgument,
    budget: Annotated[int, typer.Option(min=1, help="Most trained parameters, head included.")],
    out: Annotated[Path, typer.Option(help="Folder to write; must be vacant.")],
    data: Annotated[
        str | None,
        typer.Option(help="Labelled data to measure on; default: validation texts of the run."),
    ] = None,
    text_column: TextColumnOption = None,
    encoder: EncoderOption = None,
    labels: LabelsOption = None,
    label_column: LabelColumnOption = None,
    device: DeviceOption = "auto",
    precision: PrecisionOption = "auto",
    json: JsonOption = False,
) -> None:
    """Cut a trained adapter to a smaller budget by its singular values."""
    from ranklet.workflows.shrink import shrink, to_json

    shrunk = shrink(
        model,
        budget,
        out,
        data,
        text_column=text_column or None,
        label_column=label_column,
        encoder=encoder,
        label_names=names_of(labels),
        device=device,
        precision=precision,
    )
    if json:
        render.print_json(to_json(shrunk))
    else:
        render.print_shrunk(shrunk)


@recipes_app.callback()
def recipes(context: typer.Context) -> None:
    """List the built-in recipes."""
    if context.invoked_subcommand is None:
        from ranklet.recipe.builtin import builtin_names, describe

        names = builtin_names()
        width = max(map(len, names))
        for name in names:
            typer.echo(f"{name:<{width}}  {describe(name)}")


@recipes_app.command()
def show(recipe: RecipeArgument, set_: SetOption = None) -> None:
    """Print a recipe with every field resolved."""
    from ranklet.recipe import load_recipe, to_yaml

    typer.echo(to_yaml(load_recipe(recipe, set_ or [])), nl=False)


def _seeds(text: str) -> list[int]:
    """Read `0..4`, both ends included, or `0,3,7`."""
    first, dots, last = text.partition("..")
    numbers = [first, last] if dots else text.split(",")
    if not all(number.strip().isdecimal() for number in numbers):
        raise typer.BadParameter(f"{text!r} is neither 0..4 nor 0,3,7", param_hint="--seeds")
    values = [int(number) for number in numbers]
    return list(range(values[0], values[1] + 1)) if dots else values


app.command()(audit)
app.command()(compare)
app.command()(estimate)
app.command()(stress)


def run() -> None:
    """Run the command line; every error becomes one line and an exit code."""
    arguments = sys.argv[1:] or ["--help"]

    def invoke() -> None:
        # Not app(), which prints errors of the command line in a form of its own.
        with typer.main.get_command(app).make_context("ranklet", arguments) as context:
            context.command.invoke(context)

    sys.exit(exit_code_of(invoke, with_traceback="--debug" in arguments))
