"""ranklet recipes: the built-in recipes, listed or one of them shown."""

from __future__ import annotations

import typer

from ranklet.cli import options
from ranklet.cli.terminal import print_line

recipes_app = typer.Typer(help="List the built-in recipes, or show one.", no_args_is_help=False)


@recipes_app.callback()
def recipes(context: typer.Context) -> None:
    """List the built-in recipes."""
    if context.invoked_subcommand is None:
        from ranklet.recipe.builtin import builtin_names, describe

        names = builtin_names()
        width = max(map(len, names))
        for name in names:
            print_line(f"{name:<{width}}  {describe(name)}")


@recipes_app.command()
def show(recipe: options.RecipeArgument, set_: options.SetOption = None) -> None:
    """Print a recipe with every field resolved."""
    from ranklet.recipe import load_recipe, to_yaml

    typer.echo(to_yaml(load_recipe(recipe, set_ or [])), nl=False)
