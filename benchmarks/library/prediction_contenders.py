"""Prediction by ranklet, transformers and onnxruntime: each a function from texts to logits."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from library.measure import Job, Result, machine, now, peak_device_mib, peak_rss_mib
from library.prediction_models import ADAPTER, MERGED, NUM_LABELS, logit_error
from library.workload import read_rows, tokenizer


@dataclass(frozen=True)
class Contender:
    """Somebody who predicts.

    Attributes:
        tokenize: Texts -> whatever `answer` takes.
        answer: -> logits (texts, classes) as float32 numpy, in the order of the texts.
        dtype: Of the weights.
    """

    tokenize: Callable[[list[str]], Any]
    answer: Callable[[Any], Any]
    dtype: str


# Largest accepted difference of a logit, relative to the largest one. Eight bits are not checked
# against a number: how often the label agrees is reported instead.
TOLERANCE = {"float32": 1e-3, "bfloat16": 1e-1, "float16": 2e-2, "int8": 1e9}

LATENCY_WARMUP = 5


def predict_speed(job: Job) -> Result:
    """Load a contender, check its logits, then time all texts at once and texts one by one."""
    from ranklet.encoder.precision import prepare_memory

    prepare_memory()  # kept memory helps everyone that predicts by PyTorch
    one = BUILDERS[job["engine"]](job)
    texts = [text for text, _ in read_rows(Path(job["texts"]))]
    tokens = sum(map(len, tokenizer(Path(job["encoder"]), job["max_length"])(texts)))
    _check(job, one.answer(one.tokenize(texts[: 2 * job["checked"]])), one.dtype)  # and warms up
    started = now(job["device"])
    tokenized = one.tokenize(texts)
    between = now(job["device"])
    logits = one.answer(tokenized)
    ended = now(job["device"])
    rss, device = peak_rss_mib(), peak_device_mib(job["device"])
    return {
        "texts_per_s": len(texts) / (ended - started),
        "tokens_per_s": tokens / (ended - started),
        "texts": len(texts),
        "tokens": tokens,
        "seconds": ended - started,
        "tokenized_texts_per_s": len(texts) / (ended - between),
        "latency_ms": _latency_ms(job, one, texts),
        "peak_rss_mib": rss,
        "peak_device_mib": device,
        "dtype": one.dtype,
        **_check(job, logits, one.dtype),
    }


def _check(job: Job, logits: Any, dtype: str) -> Result:
    found = logit_error(job, logits)
    if not found["logit_error"] <= TOLERANCE[dtype]:
        raise ValueError(
            f"logits differ by {found['logit_error']:.1e} of their size, allowed are "
            f"{TOLERANCE[dtype]:.0e} in {dtype}"
        )
    return found


def _latency_ms(job: Job, one: Contender, texts: Sequence[str]) -> float:
    """Return the median time of one text alone, from text to logits."""
    seconds = []
    for text in islice(cycle(texts), LATENCY_WARMUP + job["latency_texts"]):
        started = now(job["device"])
        one.answer(one.tokenize([text]))
        seconds.append(now(job["device"]) - started)
    return 1000 * statistics.median(seconds[LATENCY_WARMUP:])


def build_ranklet(job: Job) -> Contender:
    """Load the PEFT adapter as any user would; `job["load"]` holds further arguments of `load`."""
    import ranklet

    network = ranklet.load(
        Path(job["folder"]) / ADAPTER,
        encoder=job["encoder"],
        label_names=[str(index) for index in range(NUM_LABELS)],
        device=job["device"],
        precision=job["precision"],
        **job["load"],
    ).network
    assert network.preprocessing is not None
    if job["products"] == "int8":
        _multiply_in_int8(network.encoder.layers)
        network.encoder.fix_maps()  # as `merge=True` does to a run of that kind
    preprocessing = replace(network.preprocessing, max_length=job["max_length"])
    dtype = str(network.encoder.embeddings.LayerNorm.weight.dtype).removeprefix("torch.")
    return Contender(
        preprocessing.corpus,
        lambda corpus: network.predict_logits(corpus).numpy(),
        "int8" if job["products"] == "int8" else dtype,
    )


def _multiply_in_int8(layers: Any) -> None:
    """Do to the layers of a bare adapter what `engine.products: int8` does before training."""
    from ranklet.encoder.fused.layer import input_sizes
    from ranklet.encoder.fused.linear_maps import base_linear
    from ranklet.encoder.int8.linear import multiply_in_int8

    sizes = {base_linear(module): size for module, size in input_sizes(layers).items()}
    multiply_in_int8(layers, sizes)


def build_transformers(job: Job) -> Contender:
    """Load the merged model with sdpa; batches of near lengths, without recording gradients."""
    import numpy as np
    import torch
    from transformers import AutoModelForSequenceClassification

    dtype = getattr(torch, job["precision"])
    model = AutoModelForSequenceClassification.from_pretrained(
        Path(job["folder"]) / MERGED, dtype=dtype, attn_implementation="sdpa"
    )
    model = model.to(job["device"]).eval()
    pad = model.config.pad_token_id

    def answer(ids: list[list[int]]) -> Any:
        answers = np.empty((len(ids), NUM_LABELS), dtype=np.float32)
        with torch.inference_mode():
            for indices in _sorted_batches(ids, job["batch_tokens"]):
                tokens, mask = _padded(ids, indices, pad)
                logits = model(
                    input_ids=torch.from_numpy(tokens).to(job["device"]),
                    attention_mask=torch.from_numpy(mask).to(job["device"]),
                ).logits
                answers[indices] = logits.float().cpu().numpy()
        return answers

    return Contender(tokenizer(Path(job["encoder"]), job["max_length"]), answer, job["precision"])


def build_onnx(job: Job) -> Contender:
    """Open an exported model with as many threads as PyTorch would take."""
    import numpy as np
    import onnxruntime  # type: ignore[import-untyped]

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = machine()["threads"]
    file = Path(job["folder"]) / f"{job['precision']}.onnx"
    session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    config = json.loads((Path(job["folder"]) / MERGED / "config.json").read_text(encoding="utf-8"))

    def answer(ids: list[list[int]]) -> Any:
        answers = np.empty((len(ids), NUM_LABELS), dtype=np.float32)
        for indices in _sorted_batches(ids, job["batch_tokens"]):
            tokens, mask = _padded(ids, indices, config["pad_token_id"])
            answers[indices] = session.run(
                ["logits"], {"input_ids": tokens, "attention_mask": mask}
            )[0]
        return answers

    return Contender(tokenizer(Path(job["encoder"]), job["max_length"]), answer, job["precision"])


BUILDERS = {"ranklet": build_ranklet, "transformers": build_transformers, "onnx": build_onnx}


def _sorted_batches(ids: Sequence[Sequence[int]], batch_tokens: int) -> list[Any]:
    """Group as ranklet does: longest first, a budget of padded tokens."""
    import numpy as np

    from ranklet.data.tokens.batching import sorted_batches

    return sorted_batches(np.array([len(row) for row in ids]), batch_tokens=batch_tokens)


def _padded(ids: Sequence[Sequence[int]], indices: Sequence[int], pad: int) -> tuple[Any, Any]:
    import numpy as np

    longest = max(len(ids[index]) for index in indices)
    tokens = np.full((len(indices), longest), pad, dtype=np.int64)
    mask = np.zeros_like(tokens)
    for row, index in enumerate(indices):
        tokens[row, : len(ids[index])] = ids[index]
        mask[row, : len(ids[index])] = 1
    return tokens, mask
