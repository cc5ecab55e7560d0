"""What the fields of a recipe become: splits, placement, ranks, a model, the arguments of fit."""
