"""Texts longer than an encoder reads at once: their head, head and tail, or windows over them.

Nothing here knows a tokenizer: a text is its token ids, with the special ones at either end.
`text_starts` are (texts + 1,) int64: text i owns the windows from `text_starts[i]` on, one or more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from ranklet.vocabulary import Aggregation, LongTextMode

DEFAULT_OVERLAP = 0.25


@dataclass(frozen=True)
class LongTexts:
    """What happens to texts that are too long.

    Attributes:
        mode: `head`: the end is cut off; `head_tail`: the middle is left out; `windows`: the text
            becomes several, and what the classifier says of them is aggregated.
        overlap: Share of a window's own tokens that the next window repeats, 0 <= overlap < 1.
        aggregation: What the windows' probabilities become, see `aggregate`.
    """

    mode: LongTextMode = "head"
    overlap: float = DEFAULT_OVERLAP
    aggregation: Aggregation = "mean"

    def __post_init__(self) -> None:
        if not 0 <= self.overlap < 1:
            raise ValueError(f"overlap {self.overlap} must be at least 0 and below 1")
        if self.aggregation not in get_args(Aggregation) or self.mode not in get_args(LongTextMode):
            raise ValueError(f"unknown mode {self.mode!r} or aggregation {self.aggregation!r}")


def cut_text(
    ids: list[int], at_start: int, at_end: int, max_length: int, long_texts: LongTexts
) -> list[list[int]]:
    """Cut a text to rows of at most `max_length` tokens.

    Args:
        ids: Tokens of the whole text, special ones included.
        at_start: How many of them are special ones before the text; every row keeps them.
        at_end: How many are special ones behind it; every row keeps them.
        max_length: Most tokens of a row; more than the special ones.
        long_texts: How.

    Returns:
        One row, or for windows at least one.
    """
    if len(ids) <= max_length:
        return [ids]
    before, own, after = ids[:at_start], ids[at_start : len(ids) - at_end], ids[len(ids) - at_end :]
    room = max_length - at_start - at_end
    match long_texts.mode:
        case "head":
            parts = [own[:room]]
        case "head_tail":
            head = head_tokens(room)
            parts = [own[:head] + own[len(own) - (room - head) :]]
        case "windows":
            starts = window_starts(len(own), room, long_texts.overlap)
            parts = [own[start : start + room] for start in starts]
    return [before + part + after for part in parts]


def longest_first(first: int, second: int, room: int) -> tuple[int, int]:
    """Return how many tokens of either text of a pair stay where both have more than `room`.

    Tokens are taken from the end of the longer one until both are equally long, then from both, as
    `transformers` does by `longest_first`; an odd one stays with the longer, of equals the second.
    """
    shorter = min(first, second, room // 2)
    return (shorter, room - shorter) if first <= second else (room - shorter, shorter)


def head_tokens(room: int) -> int:
    """Return how many of `room` tokens are taken from the beginning of a text, not from its end.

    A quarter, as in Sun et al. 2019 (arXiv:1905.05583, section 5.3.1), who keep the first 128 and
    the last 382 of 510 tokens.
    """
    return (room + 2) // 4


def window_starts(tokens: int, room: int, overlap: float) -> range:
    """Return where the windows over a text begin.

    Each begins `room` less `int(room * overlap)` tokens, but at least one, after the window before;
    the last one is the first that reaches the end of the text, so it may be shorter.

    Args:
        tokens: Tokens of the text, special ones not counted, more than `room`.
        room: Tokens of a window, special ones not counted.
        overlap: Share of a window that the next one repeats.
    """
    stride = max(1, room - int(room * overlap))
    beyond = -(-(tokens - room) // stride)  # windows after the first
    return range(0, beyond * stride + 1, stride)


def window_weights(text_starts: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return what each window counts, so that all texts count alike and the mean over windows is 1.

    Returns:
        (windows,) float32, windows / texts / windows of its text.
    """
    counts = np.diff(text_starts)
    weight = text_starts[-1] / max(1, len(counts)) / counts
    weights: NDArray[np.float32] = np.repeat(weight, counts).astype(np.float32)
    return weights


def aggregate(logits: Tensor, text_starts: NDArray[np.int64], aggregation: Aggregation) -> Tensor:
    """Make one answer a text of the logits of its windows, (windows, classes).

    `mean` is the mean of the windows' probabilities; `max` takes for each class the largest and
    divides by their sum; `vote` is the mean over the windows whose most probable class is that of
    most windows, of equally many the one with the larger mean over all.

    Returns:
        (texts, classes) float32, logarithms of probabilities: logits whose softmax they are.
    """
    # float64, in which a probability is 0 only beyond a difference of 700.
    probabilities = logits.double().softmax(-1)
    lengths = torch.from_numpy(np.diff(text_starts))
    mean = torch.segment_reduce(probabilities, "mean", lengths=lengths, axis=0)
    match aggregation:
        case "mean":
            answer = mean
        case "max":
            largest = torch.segment_reduce(probabilities, "max", lengths=lengths, axis=0)
            answer = largest / largest.sum(-1, keepdim=True)
        case "vote":
            choices = probabilities.argmax(-1)
            ballots = F.one_hot(choices, logits.shape[-1]).double()
            votes = torch.segment_reduce(ballots, "sum", lengths=lengths, axis=0)
            elected = (
                (votes + mean / 2).argmax(-1).repeat_interleave(lengths)
            )  # mean / 2 is below 1
            agrees = (choices == elected).double()[:, None]
            sums = torch.segment_reduce(probabilities * agrees, "sum", lengths=lengths, axis=0)
            answer = sums / torch.segment_reduce(agrees, "sum", lengths=lengths, axis=0)
    return answer.clamp_min(torch.finfo(torch.float64).tiny).log().float()


def aggregate_each(
    logits: Tensor, text_starts: NDArray[np.int64], aggregation: Literal["mean", "max"]
) -> Tensor:
    """Make one answer a text of the logits of its windows, (windows, labels), each label alone.

    It is the mean of a label's probabilities in the windows, or the largest one.

    Returns:
        (texts, labels) float32, logits whose sigmoid the aggregated probabilities are.
    """
    lengths = torch.from_numpy(np.diff(text_starts))
    answer = torch.segment_reduce(logits.double().sigmoid(), aggregation, lengths=lengths, axis=0)
    return answer.logit(eps=torch.finfo(torch.float64).eps).float()
