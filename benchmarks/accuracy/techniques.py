"""Optimizers, schedules, losses and tricks against the plain recipe, each at its own learning rate.

    python benchmarks/accuracy/techniques.py --data ../shared/ag_news

Every arm changes one thing of `ag_news` on MiniLM, without the recipe's own label smoothing and
head dropout, so that these are arms as well. Rates are chosen on validation with the first seed.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))

from library.arms import Arm, run_arms, table
from library.results import record
from library.sample_rows import ag_news_files, sample_rows

RATES = (1e-3, 3e-3)
PLAIN = "plain"
SETTINGS = {
    PLAIN: (),
    # Optimizers.
    "adam": ("training.optimizer=adam",),
    "rmsprop": ("training.optimizer=rmsprop",),
    "sgd": ("training.optimizer=sgd",),
    "adafactor": ("training.optimizer=adafactor",),
    "muon": ("training.optimizer=muon",),
    # Schedules and rates.
    "linear": ("training.schedule=linear",),
    "constant": ("training.schedule=constant",),
    "polynomial": ("training.schedule=polynomial",),
    "cosine with restarts": ("training.schedule=cosine_with_restarts",),
    "one cycle": ("training.schedule=one_cycle",),
    "LoRA+, ratio 8": ("training.loraplus_lr_ratio=8",),
    "layer decay 0.7": ("training.layer_lr_decay=0.7",),
    # Losses.
    "label smoothing 0.1": ("training.label_smoothing=0.1",),
    "focal": ("training.loss=focal",),
    "generalized cross-entropy": ("training.loss=generalized_cross_entropy",),
    "soft bootstrapping": ("training.loss=soft_bootstrapping",),
    "hard bootstrapping": ("training.loss=hard_bootstrapping",),
    "balanced class weights": ("training.class_weights=balanced",),
    "R-Drop": ("training.r_drop=1.0", "head_dropout=0.1", "adapter.dropout=0.1"),
    # Noise.
    "head dropout 0.1": ("head_dropout=0.1",),
    "adapter dropout 0.1": ("adapter.dropout=0.1",),
    "encoder dropout 0.1": ("encoder_dropout=0.1",),
    "dropout rises to 0.1": ("head_dropout=0.1", "training.dropout_schedule=linear_increase"),
    "dropout falls from 0.1": ("head_dropout=0.1", "training.dropout_schedule=linear_decrease"),
    "dropout curriculum": ("head_dropout=0.1", "training.dropout_schedule=curriculum"),
    "token dropout 0.1": ("training.token_dropout=0.1",),
    "gradient noise": ("training.gradient_noise=0.01",),
    # Data.
    "curriculum by length": ("training.curriculum=length",),
    "square-root sampling": ("training.sampling=square_root",),
    "word swap 0.1": ("augmentation.word_swap=0.1",),
    "typo noise 0.1": ("augmentation.typo_noise=0.1",),
    "sentence truncation 0.1": ("augmentation.sentence_truncation=0.1",),
    # Averages.
    "moving average": ("training.ema_decay=0.98",),
    "soup of 3": ("training.soup=3", "training.evaluate_every=20"),
    # Adapters.
    "rsLoRA": ("adapter.use_rslora=true",),
    "DoRA": ("adapter.use_dora=true",),
    "PiSSA": ("adapter.init=pissa",),
    "OLoRA": ("adapter.init=olora",),
    "EVA": ("adapter.init=eva",),
    "probe start": ("head_start=probe",),
}
OWN_RATES = {
    "sgd": (0.03, 0.3),
    "adafactor": (0.1, 1.0),
    "muon": (3e-3, 1e-2),
    "LoRA+, ratio 8": (3e-4, 1e-3),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/ag_news"))
    parser.add_argument("--texts", type=int, help="training rows to draw; default: all")
    parser.add_argument("--test-texts", type=int, help="test rows to draw; default: all")
    parser.add_argument("--arms", nargs="+", choices=list(SETTINGS), default=list(SETTINGS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--set", action="append", default=[], dest="extra", metavar="KEY=VALUE")
    parser.add_argument("--out", type=Path, default=Path("runs/techniques"))
    options = parser.parse_args()
    train_file, test_file = ag_news_files(options.data)
    train = sample_rows(train_file, options.texts, options.out)
    test = sample_rows(test_file, options.test_texts, options.out)
    shared = [f"data.train={train}", f"data.test={test}"]
    shared += ["training.label_smoothing=0.0", "head_dropout=0.0", *options.extra]
    arms = [
        Arm(name, SETTINGS[name], OWN_RATES.get(name, RATES))
        for name in SETTINGS
        if name in (PLAIN, *options.arms)
    ]
    rows = run_arms(arms, lambda seed: shared, options.seeds, options.out / "results.jsonl")
    print(table(rows, PLAIN))
    record("techniques", {"runs": rows})


if __name__ == "__main__":
    main()
