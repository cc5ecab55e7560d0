"""ranklet's fast paths against its own reference: logits and gradients of every trained tensor."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from library.measure import Job, Result
from library.own_training import recipe_tree
from library.workload import read_rows

TEXTS = 32

# Largest accepted difference: of a logit, relative to how far logits lie from their mean over the
# texts; of a gradient, the norm of the difference relative to the tensor's own norm.
TOLERANCE = {
    "float32": {"logits": 1e-3, "gradients": 1e-3},
    "bfloat16": {"logits": 1e-1, "gradients": 2e-1},
    "float16": {"logits": 2e-2, "gradients": 5e-2},
}

# Float16 gradients vanish below 6e-8; a training in float16 scales its loss as well.
LOSS_SCALE = {"float16": 1024.0}

Answer = dict[str, Any]


def check_parity(job: Job) -> Result:
    """Compare every precision with float32 and reference attention on the same device.

    Returns:
        By precision the errors and whether they are allowed; `sabotaged`, the error of a model with
        one adapter turned round, which the loosest tolerance must refuse; `captured`, a captured
        step against the same step launched singly; and `passed`.
    """
    import torch

    torch.set_float32_matmul_precision("highest")
    reference = _answer(job, "float32", ["engine.attention=reference"])
    found: Result = {}
    for precision in TOLERANCE:
        try:
            found[precision] = _compare(_answer(job, precision, []), reference, precision)
        except (RuntimeError, KeyError, TypeError, NotImplementedError) as error:
            message = str(error).strip().splitlines() or [""]
            found[precision] = {"passed": None, "error": f"{type(error).__name__}: {message[0]}"}
    sabotaged = _compare(_answer(job, "float32", [], sabotage=True), reference, "bfloat16")
    captured = _compare_captured(job, "bfloat16")
    needed = ("float32", "bfloat16")
    passed = all(found[name]["passed"] for name in needed) and not sabotaged["passed"]
    return {
        **found,
        "sabotaged": sabotaged,
        "captured": captured,
        "passed": passed and captured["passed"] and found["float16"]["passed"] is not False,
    }


def _compare_captured(job: Job, precision: str) -> Result:
    """Compare an accumulated step of two batches, replayed from graphs, with the same one eager.

    On a CPU the work is repeated without graphs. `stale`, the error of a step that saw its first
    batch twice, must be refused.
    """
    import torch

    from ranklet.training.captured_steps import CapturedGradients, cuda_graphs
    from ranklet.training.losses import cross_entropy
    from ranklet.training.optimizer_step import add_gradients

    try:
        model, corpus, labels, device = _assemble(job, precision, [])
        trained = {name: one for name, one in model.named_parameters() if one.requires_grad}
        model.train()

        def eager(batch: Any, share: Any) -> Any:
            return add_gradients(model, cross_entropy(0.0), None, batch, share)

        halves = torch.arange(len(labels) // 2 * 2).chunk(2)
        first, second = (
            replace(corpus.batch(rows.numpy()), labels=labels[rows]).to(device) for rows in halves
        )
        on_gpu = device.type == "cuda"
        captured = CapturedGradients(
            eager,
            list(trained.values()),
            len(halves[0]),
            int(corpus.lengths.max()),
            cuda_graphs(device) if on_gpu else lambda work: work,
            captured_from=1,
        )

        def gradients(add: Any, *batches: Any) -> dict[str, Any]:
            model.zero_grad(set_to_none=True)
            for batch in batches:
                add(batch, 1.0 / len(batches))
            return {name: _gradient(tensor) for name, tensor in trained.items()}

        expected = gradients(eager, first, second)
        gradients(captured, second, first)  # so that what is compared has been replayed
        errors = _gradient_errors(gradients(captured, first, second), expected)
        stale = _gradient_errors(gradients(captured, first, first), expected)
    except (RuntimeError, KeyError, TypeError, ValueError, NotImplementedError) as error:
        message = str(error).strip().splitlines() or [""]
        return {"passed": False, "error": f"{type(error).__name__}: {message[0]}"}
    allowed = TOLERANCE[precision]["gradients"]
    passed = errors["gradients"] <= allowed < stale["gradients"]
    return {**errors, "stale": stale["gradients"], "allowed": allowed, "passed": passed}


def _answer(job: Job, precision: str, settings: list[str], sabotage: bool = False) -> Answer:
    """Return logits (texts, classes) and gradients by name, float32 on the CPU."""
    import torch

    from ranklet.training.losses import cross_entropy

    model, corpus, labels, device = _assemble(job, precision, settings, sabotage)
    indices = torch.arange(len(labels)).numpy()
    batch = replace(corpus.batch(indices), labels=labels).to(device)
    assert batch.labels is not None
    model.train()
    logits = model(batch)
    scale = LOSS_SCALE.get(precision, 1.0)
    loss = cross_entropy(0.0)(logits, batch.labels) * scale
    loss.backward()  # type: ignore[no-untyped-call]
    trained = {name: tensor for name, tensor in model.named_parameters() if tensor.requires_grad}
    return {
        "logits": logits.detach().float().cpu(),
        "predicted": model.predict_logits(corpus).float(),
        "gradients": {name: _gradient(tensor) / scale for name, tensor in trained.items()},
    }


def _assemble(
    job: Job, precision: str, settings: list[str], sabotage: bool = False
) -> tuple[Any, Any, Any, Any]:
    """Return the model, texts tokenized, their classes (texts,) int64, and the device."""
    import torch

    from ranklet.encoder.source import EncoderSource
    from ranklet.labels import LabelSet
    from ranklet.recipe import load_recipe
    from ranklet.workflows.from_recipe.model import build_model

    file = Path(job["folder"]) / "recipe.yaml"
    file.write_text(json.dumps(recipe_tree(job)), encoding="utf-8")
    recipe = load_recipe(file, [*job["settings"], *settings])
    rows = read_rows(Path(job["texts"]))[:TEXTS]
    names = tuple(sorted({label for _, label in rows}))
    device = torch.device(job["device"])
    model, _ = build_model(
        recipe, EncoderSource(recipe.encoder), LabelSet(names), getattr(torch, precision), device
    )
    _fill_adapters(model, sabotage)
    assert model.preprocessing is not None
    corpus = model.preprocessing.corpus([text for text, _ in rows])
    labels = torch.tensor([names.index(label) for _, label in rows])
    return model, corpus, labels, device


def _fill_adapters(model: Any, sabotage: bool) -> None:
    """Give every lora_B values of its own, since the zeros of a fresh one hide errors."""
    import torch

    turned = -1.0 if sabotage else 1.0
    with torch.no_grad():
        for name, tensor in model.named_parameters():
            if "lora_B" in name:
                generator = torch.Generator().manual_seed(zlib.crc32(name.encode()))
                values = torch.randn(tensor.shape, generator=generator) * 0.02
                tensor.copy_(values * turned)
                turned = 1.0


def _gradient(tensor: Any) -> Any:
    import torch

    gradient = torch.zeros_like(tensor) if tensor.grad is None else tensor.grad
    return gradient.detach().float().cpu()


def _compare(found: Answer, reference: Answer, precision: str) -> Result:
    errors = {
        "logits": max(_spread_error(found, reference, key) for key in ("logits", "predicted")),
        **_gradient_errors(found["gradients"], reference["gradients"]),
    }
    allowed = TOLERANCE[precision]
    passed = all(errors[name] <= limit for name, limit in allowed.items())
    return {**errors, "allowed": allowed, "passed": passed}


def _spread_error(found: Answer, reference: Answer, key: str) -> float:
    spread = (reference[key] - reference[key].mean(0)).abs().max()
    return float((found[key] - reference[key]).abs().max() / spread)


def _gradient_errors(found: Mapping[str, Any], reference: Mapping[str, Any]) -> Result:
    if found.keys() != reference.keys():
        raise RuntimeError("the two models train other tensors")
    errors = {
        name: float((found[name] - gradient).norm() / gradient.norm().clamp_min(1e-12))
        for name, gradient in reference.items()
    }
    worst = max(errors, key=lambda name: errors[name])
    return {"gradients": errors[worst], "worst_gradient": worst}
