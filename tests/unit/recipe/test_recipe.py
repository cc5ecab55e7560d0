"""The models: strict, frozen, documented field by field."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticUndefined

import ranklet.recipe
from ranklet.recipe import DataSection, Recipe, TrainingSection, recipe_hash
from ranklet.recipe.allowed import field_types, section_of
from ranklet.recipe.tree import plain
from ranklet.recipe.yaml_tree import parse_tree

KEYS = {
    "": "encoder pooling head head_dropout head_rank head_dense_init head_start "
    "encoder_dropout budget seed automatic data adapter training augmentation distillation engine "
    "tune",
    "data": "train validation test unlabelled text_column label_column label_columns "
    "label_separator separator quoting encoding columns problem_type label_names label_values "
    "max_length long_texts window_overlap window_aggregation cleaning min_words max_words "
    "duplicates empty pair",
    "adapter": "rank alpha dropout target_modules layers exclude_modules rank_pattern "
    "alpha_pattern bias use_rslora use_dora init train_layer_norm fit fit_mode fit_head",
    "training": "epochs sampling curriculum max_steps batch_size batch_tokens "
    "gradient_accumulation_steps optimizer momentum learning_rate head_learning_rate "
    "loraplus_lr_ratio weight_decay "
    "layer_lr_decay schedule schedule_num_cycles schedule_power warmup_ratio warmup_steps "
    "max_grad_norm loss focal_gamma gce_q bootstrap_beta class_weights r_drop label_smoothing "
    "dropout_schedule gradient_noise token_dropout ema_decay soup evaluate_every "
    "metric early_stopping_patience refit checkpoint_every keep_checkpoints "
    "contrastive_steps contrastive_learning_rate",
    "augmentation": "sentence_truncation word_swap case_noise typo_noise",
    "distillation": "teacher temperature weight confidence",
    "engine": "device precision quantization products attention cache_frozen_layers "
    "cache_limit_gib capture_steps activation_checkpointing",
}


def models() -> Iterator[tuple[str, type[BaseModel]]]:
    yield "", Recipe
    for name, annotation in field_types(Recipe).items():
        if section := section_of(annotation):
            yield name, section


FIELDS = [(model, name) for _, model in models() for name in model.model_fields]


def test_the_keys_that_other_programs_rely_on() -> None:
    assert {name: " ".join(model.model_fields) for name, model in models()} == KEYS


@pytest.mark.parametrize(("model", "name"), FIELDS)
def test_docstring_of_a_field_tells_its_true_default(model: type[BaseModel], name: str) -> None:
    field = model.model_fields[name]
    text = " ".join((field.description or "").split())
    meaning, _, told = text.removesuffix(".").rpartition(". Default: ")
    if field.is_required():
        assert text.endswith(" Required.")
        return
    assert meaning
    default = field.get_default(call_default_factory=True, validated_data={})
    node, _ = parse_tree(told, str)
    given: Any = model.model_construct(**{name: default})
    dumped = given.model_dump(mode="json").get(name, default)  # an empty tune is not dumped
    expected = {} if isinstance(default, BaseModel) else dumped
    assert default is not PydanticUndefined
    assert plain(node) == expected


@pytest.mark.parametrize("name", ["seed", "data", "new"])
def test_a_recipe_cannot_be_changed(name: str) -> None:
    with pytest.raises(ValidationError):
        setattr(Recipe(data=DataSection(train="a")), name, 1)


def test_hash_is_the_sha256_of_sorted_json_and_python_can_use_it() -> None:
    recipe = Recipe(data=DataSection(train="a"))
    text = json.dumps(recipe.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
    assert recipe_hash(recipe) == hashlib.sha256(text.encode()).hexdigest()
    assert len({recipe, Recipe(data=DataSection(train="a")), Recipe(data=DataSection(train="b"))})


def test_a_dump_leaves_out_what_is_replaced() -> None:
    section = TrainingSection(batch_tokens=512, warmup_steps=3)
    assert {"batch_size", "warmup_ratio"}.isdisjoint(section.model_dump())
    assert {"batch_size", "warmup_ratio"} <= set(TrainingSection().model_dump())


def test_package_is_light_and_its_names_are_sorted() -> None:
    assert list(ranklet.recipe.__all__) == sorted(ranklet.recipe.__all__)
    heavy = {"torch", "numpy", "sklearn", "ruamel.yaml", "transformers"}
    code = "import sys, ranklet.recipe; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert heavy.isdisjoint(done.stdout.split())


@pytest.mark.timeout(20)
def test_many_names_are_compared_in_one_go() -> None:
    """Each with each before it took minutes."""
    names = [f"label {number}" for number in range(100_000)]
    assert DataSection(train="a.csv", label_names=names).label_names == tuple(names)
    with pytest.raises(ValidationError, match="lists 'label 7' twice"):
        DataSection(train="a.csv", label_names=[*names, "label 7"])
