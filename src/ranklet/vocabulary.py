"""Each enumeration of ranklet once: the words that recipes, parts and saved files choose from."""

from __future__ import annotations

from typing import Literal

ProblemType = Literal["single_label_classification", "multi_label_classification"]

Split = Literal["train", "validation", "test"]

DATA_SUFFIXES = (
    ".csv",
    ".tsv",
    ".txt",
    ".jsonl",
    ".ndjson",
    ".json",
    ".parquet",
    ".arrow",
    ".feather",
    ".xlsx",
    ".pkl",
    ".pickle",
)
"""Formats of data files, by suffix."""

PACKED_SUFFIXES = (".gz", ".bz2", ".xz", ".zst", ".zip")
"""Compressions of data files, by suffix."""

BUNDLED_SAMPLE = "newsbites"
"""The named set that comes with the package."""

LabelForm = Literal["name", "value", "position", "probability", "indicator"]
"""How a submission writes labels; value: as the training file does, position: that of the logit."""

Quoting = Literal["double", "single", "none"]
CleaningStep = Literal["html", "ag_news", "whitespace"]
DuplicatePolicy = Literal["drop", "refuse", "keep"]
EmptyPolicy = Literal["drop", "refuse", "keep"]
LongTextMode = Literal["head", "head_tail", "windows"]
Aggregation = Literal["mean", "max", "vote"]
Sampling = Literal["shuffled", "square_root", "balanced"]
Curriculum = Literal["none", "length"]

HeadKind = Literal["dense", "frozen_dense", "low_rank", "linear"]
"""Begins with those that transformers knows."""

Pooling = Literal["cls", "mean"]
DenseInit = Literal["identity", "random"]
HeadStart = Literal["random", "probe"]

Bias = Literal["none", "lora_only", "all"]
AdapterInit = Literal["default", "pissa", "olora", "eva"]
AllocationMode = Literal["uniform", "by_depth", "measured"]
HeadChoice = Literal["keep", "cheapest"]

OptimizerName = Literal["adamw", "adam", "sgd", "rmsprop", "adafactor", "muon"]
ScheduleName = Literal[
    "cosine", "cosine_with_restarts", "linear", "polynomial", "constant", "one_cycle"
]
DropoutScheduleName = Literal["constant", "linear_increase", "linear_decrease", "curriculum"]
LossName = Literal[
    "cross_entropy",
    "focal",
    "generalized_cross_entropy",
    "soft_bootstrapping",
    "hard_bootstrapping",
]
ClassWeighting = Literal["none", "balanced"]
SelectionMetric = Literal["accuracy", "macro_f1", "loss"]

Device = Literal["auto", "cpu", "cuda"]
Precision = Literal["auto", "float32", "bfloat16", "float16"]
BlockFormat = Literal["int8", "nf4"]
Quantization = Literal["none", BlockFormat]
Products = Literal["float", "int8"]
AttentionBackend = Literal["reference", "sdpa"]
WhenItPays = Literal["auto", "never"]
