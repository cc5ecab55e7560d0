"""One classifier in every form that prediction is measured in.

Where no trained one is given, the adapters and the head are random but not zero, so that merging
them, forgetting them or answering in another order shows in the logits.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from library.measure import Job, Result
from library.workload import ALPHA, RANK, TARGETS, read_rows, tokenizer

NUM_LABELS = 4

REFERENCE, ADAPTER, MERGED = "reference.npy", "adapter", "merged"


def write_models(job: Job) -> Result:
    """Write the adapter, the merged model and the logits of transformers in float32.

    Args:
        job: `encoder`, `texts`, `max_length`, `adapter` (a folder that PEFT reads, or None),
            `checked` (first texts whose logits are kept); `folder` is written to.
    """
    import numpy as np
    import torch
    from peft import PeftModel
    from transformers import AutoModelForSequenceClassification

    torch.manual_seed(0)
    model = AutoModelForSequenceClassification.from_pretrained(
        job["encoder"], num_labels=NUM_LABELS, dtype=torch.float32
    )
    trained = job["adapter"]
    adapted: Any = PeftModel.from_pretrained(model, trained) if trained else _random(model)
    adapted.eval()
    texts = [text for text, _ in read_rows(Path(job["texts"]))][: job["checked"]]
    ids = tokenizer(Path(job["encoder"]), job["max_length"])(texts)

    def logits() -> Any:
        with torch.no_grad():
            return torch.cat([adapted(torch.tensor([row])).logits for row in ids])

    if not trained:
        _last_bias(adapted).data -= logits().mean(0)
    reference, folder = logits(), Path(job["folder"])
    np.save(folder / REFERENCE, reference.numpy())
    adapted.save_pretrained(str(folder / ADAPTER))
    merged: Any = adapted.merge_and_unload()
    merged.save_pretrained(folder / MERGED)
    return {"labels_seen": len(set(reference.argmax(-1).tolist())), "checked": len(texts)}


def _random(model: Any) -> Any:
    """Add adapters and give them and the head random numbers."""
    import torch
    from peft import LoraConfig, TaskType, get_peft_model

    config = LoraConfig(
        task_type=TaskType.SEQ_CLS, r=RANK, lora_alpha=ALPHA, target_modules=list(TARGETS)
    )
    adapted = get_peft_model(model, config)
    with torch.no_grad():
        for name, parameter in adapted.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.02)
            elif parameter.requires_grad and parameter.ndim == 2 and "lora_A" not in name:
                parameter.normal_(std=0.1)
    return adapted


def _last_bias(adapted: Any) -> Any:
    """Return the bias of the logits; the mean is taken out, so that only the texts differ."""
    named = [
        (name, parameter)
        for name, parameter in adapted.named_parameters()
        if parameter.requires_grad and name.endswith("bias") and len(parameter) == NUM_LABELS
    ]
    return named[-1][1]


def write_onnx(job: Job) -> Result:
    """Export the merged model by `torch.onnx` and quantise it dynamically to int8.

    Attention is exported in its plain form, which onnxruntime's optimizer for this family can
    fuse; where it does, the fused graph is kept, since it is the faster one.
    """
    import onnx
    import torch
    from onnxruntime.quantization import (  # type: ignore[import-untyped]
        QuantType,
        quantize_dynamic,
    )
    from transformers import AutoModelForSequenceClassification

    folder = Path(job["folder"])
    model = AutoModelForSequenceClassification.from_pretrained(
        folder / MERGED, dtype=torch.float32, attn_implementation="eager"
    )
    plain, fused, int8 = (folder / f"{name}.onnx" for name in ("plain", "float32", "int8"))
    _export(model.eval(), plain)
    attentions = _fuse(plain, fused, model.config)
    graph = onnx.load(fused)
    # Shapes that the exporter has inferred make the quantiser fail.
    del graph.graph.value_info[:]
    # It cannot infer types behind fused nodes; everything in this graph is float.
    quantize_dynamic(
        graph,
        int8,
        weight_type=QuantType.QInt8,
        extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
    )
    return {"fused_attentions": attentions, "opset": graph.opset_import[0].version}


def _export(model: Any, path: Path) -> None:
    import torch

    class Logits(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, input_ids: Any, attention_mask: Any) -> Any:
            return self.model(input_ids=input_ids, attention_mask=attention_mask).logits

    names = ["input_ids", "attention_mask"]
    example = torch.randint(5, 90, (2, 9))
    torch.onnx.export(
        Logits().eval(),  # without eval the exporter hands the model back with dropout on
        (example, torch.ones_like(example)),
        str(path),
        input_names=names,
        output_names=["logits"],
        dynamic_axes={name: {0: "texts", 1: "tokens"} for name in names},
        opset_version=17,
        dynamo=False,
    )


def _fuse(plain: Path, fused: Path, config: Any) -> int:
    """Write the graph fused as far as onnxruntime can; return how many attentions it fused."""
    from onnxruntime.transformers import optimizer  # type: ignore[import-untyped]

    model = optimizer.optimize_model(
        str(plain),
        model_type="bert",
        num_heads=config.num_attention_heads,
        hidden_size=config.hidden_size,
        opt_level=0,
    )
    model.save_model_to_file(str(fused))
    return int(model.get_fused_operator_statistics().get("Attention", 0))


def logit_error(job: Job, logits: Any) -> Result:
    """Compare the logits of the first texts with the reference.

    Args:
        job: `folder` holds the reference.
        logits: (texts, classes) float32 of a contender, at least one text.

    Returns:
        The largest difference relative to the largest logit, and how often the label agrees.
    """
    import numpy as np

    reference = np.load(Path(job["folder"]) / REFERENCE)[: len(logits)]
    found = logits[: len(reference)]
    error = np.abs(found - reference).max() / np.abs(reference).max()
    agreement = (found.argmax(-1) == reference.argmax(-1)).mean()
    return {"logit_error": float(error), "label_agreement": float(agreement)}
