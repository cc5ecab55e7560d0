"""LoRA training by transformers and peft in a plain PyTorch loop.

A plain loop and not `transformers.Trainer`: it does the same steps without Trainer's bookkeeping,
reads no loss back, and gets texts that are tokenized already. That is the kinder choice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from library.measure import Job, Result, now, peak_device_mib, peak_rss_mib
from library.workload import ALPHA, LEARNING_RATE, RANK, TARGETS, read_rows, tokenizer


@dataclass(frozen=True)
class Options:
    """How a rival is configured.

    Attributes:
        precision: float32; autocast, bfloat16 products of float32 weights; or bfloat16 weights.
        bfloat16_adapters: With bfloat16 weights: adapters too, where peft makes them float32.
        dropout: Of the encoder's states and attention, the head and the adapters.
        grouped: Batches of near lengths, as ranklet groups them; else shuffled batches.
        attention: transformers' `attn_implementation`.
        kept_memory: The C library keeps freed memory, as ranklet asks it to.
        fused_optimizer: AdamW in one kernel.
        compiled: `torch.compile` for any length.
    """

    precision: Literal["float32", "autocast", "bfloat16"] = "float32"
    bfloat16_adapters: bool = False
    dropout: float = 0.0
    grouped: bool = False
    attention: Literal["sdpa", "eager"] = "sdpa"
    kept_memory: bool = False
    fused_optimizer: bool = False
    compiled: bool = False


USUAL = Options(precision="autocast", dropout=0.1)
USUAL_FLOAT32 = Options(precision="float32", dropout=0.1)

# What is tried for the best rival, one after the other; a change that is faster stays.
FIRST_TRY = Options(grouped=True)
CHANGES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("kept memory", {"kept_memory": True}),
    ("autocast bfloat16", {"precision": "autocast"}),
    ("bfloat16 weights", {"precision": "bfloat16"}),
    ("bfloat16 weights and adapters", {"precision": "bfloat16", "bfloat16_adapters": True}),
    ("eager attention", {"attention": "eager"}),
    ("fused AdamW", {"fused_optimizer": True}),
    ("torch.compile", {"compiled": True}),
)

# A change must gain more than a short trial's noise to be called faster.
GAIN = 1.02

# The compiler meets new shapes and compiles again; that is no part of the rival's speed.
COMPILED_WARMUP_STEPS = 6

# Of a training from end to end.
BATCH_SIZE, MAX_LENGTH = 32, 128

Measure = Callable[[Options], Result]
Trial = tuple[str, Options, Result | str]


def find_best(measure: Measure, with_compile: bool) -> tuple[Options, list[Trial]]:
    """Climb from a good configuration, change by change.

    Args:
        measure: Trains for a few steps; raises RuntimeError where it cannot.
        with_compile: Try `torch.compile` too.

    Returns:
        The best, and every trial with its figures or its error.
    """
    best, fastest = FIRST_TRY, measure(FIRST_TRY)
    trials: list[Trial] = [("float32, no dropout, grouped", best, fastest)]
    for name, change in CHANGES:
        if "compiled" in change and not with_compile:
            continue
        tried = replace(best, **change)
        try:
            result = measure(tried)
        except RuntimeError as error:
            trials.append((f"+ {name}", tried, str(error)))
            continue
        trials.append((f"+ {name}", tried, result))
        if result["texts_per_s"] > GAIN * fastest["texts_per_s"]:
            best, fastest = tried, result
    return best, trials


def train(job: Job) -> Result:
    """Train and measure one epoch, after a few steps of warm-up on texts of that epoch."""
    import torch

    options = Options(**job["options"])
    if options.kept_memory:
        from ranklet.encoder.precision import prepare_memory

        prepare_memory()
    torch.manual_seed(job["seed"])
    rows = read_rows(Path(job["texts"]))
    tokenize = tokenizer(Path(job["encoder"]), job["max_length"])
    ids = tokenize([text for text, _ in rows])
    names = sorted({label for _, label in rows})
    labels = [names.index(label) for _, label in rows]
    model = _build(job, options, len(names))
    trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(
        trainable,
        lr=LEARNING_RATE,
        weight_decay=0.01,
        fused=options.fused_optimizer,
        foreach=not options.fused_optimizer,
    )
    forward = torch.compile(model, dynamic=True) if options.compiled else model
    step = _step(forward, trainable, optimizer, options, job["device"])

    batches = _batches(ids, job["batch_size"], options.grouped, job["seed"])
    pad = model.config.pad_token_id
    warmup = max(job["warmup_steps"], COMPILED_WARMUP_STEPS if options.compiled else 0)
    for indices in (batches * warmup)[:warmup]:
        step(_padded(ids, labels, indices, pad, job["device"]))
    steps = texts = tokens = 0
    started = now(job["device"])
    for indices in batches[: job["max_steps"]]:
        loss = step(_padded(ids, labels, indices, pad, job["device"]))
        steps, texts = steps + 1, texts + len(indices)
        tokens += sum(len(ids[index]) for index in indices)
        if _is_late(job, started, steps):
            break
    seconds = now(job["device"]) - started
    return {
        "texts_per_s": texts / seconds,
        "tokens_per_s": tokens / seconds,
        "texts": texts,
        "tokens": tokens,
        "steps": steps,
        "seconds": seconds,
        "peak_rss_mib": peak_rss_mib(),
        "peak_device_mib": peak_device_mib(job["device"]),
        "last_loss": float(loss),
        "trainable": sum(parameter.numel() for parameter in trainable),
        "dtype": options.precision,
        "configuration": describe(options),
    }


def train_and_evaluate(job: Job) -> Result:
    """Train on all rows of a file with MiniLM, warmed up and then linearly down to rate 0.

    Nothing is held out: validating would take the rival's time.

    Args:
        job: `train` and `test`, files with columns text,label; `options`, `seed`, `rate`,
            `epochs`.

    Returns:
        `test`, the share of right answers on the test file, and `training_s`, without imports.
    """
    import numpy as np
    import torch

    from ranklet.encoder.source import EncoderSource

    options = Options(**job["options"])
    if options.kept_memory:
        from ranklet.encoder.precision import prepare_memory

        prepare_memory()
    torch.manual_seed(job["seed"])
    encoder = EncoderSource("minilm").folder
    job = {**job, "encoder": encoder, "layers": None, "device": "cpu"}
    tokenize = tokenizer(encoder, MAX_LENGTH)
    rows, others = (read_rows(Path(job[part])) for part in ("train", "test"))
    names = sorted({label for _, label in rows})
    ids, other_ids = (tokenize([text for text, _ in part]) for part in (rows, others))
    labels, other_labels = ([names.index(label) for _, label in part] for part in (rows, others))
    model = _build(job, options, len(names))
    trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trainable, lr=job["rate"], weight_decay=0.01)
    batches = [
        indices
        for epoch in range(job["epochs"])
        for indices in _batches(ids, BATCH_SIZE, options.grouped, job["seed"], epoch)
    ]
    warmup = 0.06 * len(batches)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer,
        lambda step: min(step / warmup, (len(batches) - step) / (len(batches) - warmup)),
    )
    forward = torch.compile(model, dynamic=True) if options.compiled else model
    step = _step(forward, trainable, optimizer, options, "cpu")
    pad = model.config.pad_token_id
    started = now("cpu")
    for indices in batches:
        step(_padded(ids, labels, indices, pad, "cpu"))
        schedule.step()
    seconds = now("cpu") - started
    model.eval()
    right = 0
    order = np.argsort([len(each) for each in other_ids]).tolist()
    with torch.no_grad():
        for indices in _cut(order, 2 * BATCH_SIZE):
            batch = _padded(other_ids, other_labels, indices, pad, "cpu")
            right += int((model(**batch).logits.argmax(-1) == batch["labels"]).sum())
    return {"test": right / len(others), "training_s": round(seconds, 1)}


def describe(options: Options) -> str:
    """Say in words what a configuration is."""
    parts = [
        "plain loop",
        f"{options.precision}" + (" bfloat16" if options.precision == "autocast" else " weights"),
        "bfloat16 adapters" if options.bfloat16_adapters else "",
        f"dropout {options.dropout:g}",
        "batches of near lengths" if options.grouped else "shuffled batches",
        options.attention,
        "kept memory" if options.kept_memory else "",
        "fused AdamW" if options.fused_optimizer else "AdamW",
        "torch.compile" if options.compiled else "",
    ]
    return ", ".join(part for part in parts if part)


def as_json(options: Options) -> dict[str, Any]:
    """Return a configuration as JSON types; `Options(**...)` reads it back."""
    return asdict(options)


def _is_late(job: Job, started: float, steps: int) -> bool:
    """Tell whether the time for a run is over; the GPU is waited for now and then only."""
    if steps % 50 and job["device"] == "cuda":
        return False
    return bool(now(job["device"]) - started > job["limit_s"])


def _build(job: Job, options: Options, num_labels: int) -> Any:
    import torch
    from peft import LoraConfig, TaskType, get_peft_model
    from transformers import AutoModelForSequenceClassification

    weights = torch.bfloat16 if options.precision == "bfloat16" else torch.float32
    model = AutoModelForSequenceClassification.from_pretrained(
        job["encoder"],
        num_labels=num_labels,
        dtype=weights,
        attn_implementation=options.attention,
        hidden_dropout_prob=options.dropout,
        attention_probs_dropout_prob=options.dropout,
    )
    config = LoraConfig(
        task_type=TaskType.SEQ_CLS,
        r=RANK,
        lora_alpha=ALPHA,
        lora_dropout=options.dropout,
        target_modules=list(TARGETS),
        layers_to_transform=job["layers"],
    )
    adapted = get_peft_model(model, config, autocast_adapter_dtype=not options.bfloat16_adapters)
    return adapted.to(job["device"]).train()


def _step(
    model: Any, trainable: Sequence[Any], optimizer: Any, options: Options, device: str
) -> Callable[[dict[str, Any]], Any]:
    import torch

    def autocast() -> AbstractContextManager[Any]:
        enabled = options.precision == "autocast"
        return torch.autocast(device, dtype=torch.bfloat16, enabled=enabled)

    def step(batch: dict[str, Any]) -> Any:
        with autocast():
            loss = model(**batch).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trainable, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return loss.detach()

    return step


def _batches(
    ids: Sequence[Sequence[int]], batch_size: int, grouped: bool, seed: int, epoch: int = 0
) -> list[list[int]]:
    import numpy as np

    if grouped:
        from ranklet.data.tokens.batching import epoch_batches

        lengths = np.array([len(each) for each in ids])
        found = epoch_batches(
            lengths, batch_size=batch_size, batch_tokens=None, seed=seed, epoch=epoch
        )
        return [indices.tolist() for indices in found]
    order = np.random.default_rng([seed, epoch]).permutation(len(ids)).tolist()
    return list(_cut(order, batch_size))


def _cut(order: list[int], batch_size: int) -> Iterator[list[int]]:
    for start in range(0, len(order), batch_size):
        yield order[start : start + batch_size]


def _padded(
    ids: Sequence[Sequence[int]],
    labels: Sequence[int],
    indices: Sequence[int],
    pad: int,
    device: str,
) -> dict[str, Any]:
    """Pad some texts to the longest of them (dynamic padding)."""
    import torch

    rows = [torch.tensor(ids[index]) for index in indices]
    tokens = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=pad)
    lengths = torch.tensor([len(row) for row in rows])
    batch = {
        "input_ids": tokens,
        "attention_mask": (torch.arange(tokens.shape[1]) < lengths[:, None]).long(),
        "labels": torch.tensor([labels[index] for index in indices]),
    }
    return {name: tensor.to(device, non_blocking=True) for name, tensor in batch.items()}
