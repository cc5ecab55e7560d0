"""Labels for a file of texts, in constant memory, the output whole or not at all."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from ranklet.classifier import CHUNK_TEXTS, ClassifierNetwork
from ranklet.data.reading.columns import AS_IN_RUN, Columns
from ranklet.data.reading.memory import Data, RowsInMemory, as_source
from ranklet.data.reading.sources import stream_cells, stream_texts
from ranklet.data.texts import Text
from ranklet.data.tokens.corpus import TokenCorpus
from ranklet.encoder.precision import prepare_memory
from ranklet.errors import AdapterError, DataError, RunError
from ranklet.files import open_atomically
from ranklet.foreign_text import as_cell, to_json
from ranklet.labels import SEPARATOR
from ranklet.run.model_source import Model, name_of
from ranklet.workflows._predict.sample import SubmittedLabels
from ranklet.workflows._predict.submission import Submission as Submission
from ranklet.workflows._predict.submission import (
    prepare_submission,
    spellings,
    write_submission,
)
from ranklet.workflows.from_recipe.labelled_texts import reading_as_run
from ranklet.workflows.load import loaded

OUTPUT_SUFFIXES = (".csv", ".tsv", ".jsonl")

Row = dict[str, Any]


def predict(
    model: Model,
    data: Data,
    output: str | Path,
    *,
    columns: Columns = AS_IN_RUN,
    all_probabilities: bool = False,
    submission: bool | Submission = False,
    compile: bool = False,
    escape_formulas: bool = False,
    progress: Callable[[int], None] = lambda texts: None,
) -> int:
    """Predict a label for every text of a file.

    Args:
        model: A run, an adapter folder, a `ModelSource`, or a loaded classifier.
        data: Texts: a file or a folder of any format that is read; or texts in memory.
        output: csv, tsv or jsonl; one row for each text, in the same order: `label`,
            `probability`, and with `all_probabilities` one `probability of LABEL` each. Where a
            text may have several labels, both hold several: with `|` between them, lists in jsonl.
        columns: Where the texts stand in a file or table, and which other columns are kept before
            the answers.
        all_probabilities: Write the probability of every label too.
        submission: Write two columns instead, `ID` (row, counted from 0) and `Label` (the integer
            that the training file has for it, else the position of the label); there must be one
            label a text. A `Submission`: write what a contest asks for in its sample, and
            `NAME.json` beside it, which says how labels were written.
        compile: Have `torch.compile` write the layers' kernels; for long files.
        escape_formulas: Put an apostrophe before a cell of a csv or tsv file that a spreadsheet
            would compute: one that begins with `=`, `+`, `-`, `@` or a tab.
        progress: Receives the number of texts done so far.

    Returns:
        The number of texts.

    Raises:
        DataError: The texts cannot be read, or there are none.
        RunError: The output cannot be written; an earlier one is untouched.
        RankletError: The classifier cannot be loaded, or gives several labels to a text where
            `submission` writes one.
    """
    source, output = as_source(data), Path(output)
    _check_output(output, source)
    if isinstance(submission, Submission):
        _check_not_read(output.with_suffix(".json"), source, submission.sample)
        _check_not_read(output, submission.sample)
    settings = reading_as_run(model, columns)
    texts = (text for _, text in stream_texts(source, settings))
    first = list(islice(texts, CHUNK_TEXTS))
    if not first:
        raise DataError("holds no texts", str(source))
    prepare_memory()
    network = loaded(model, merge=True, compile=compile).network
    rows = _label_rows(all_probabilities)
    if isinstance(submission, Submission):
        labels = spellings(model, network)
        draft = prepare_submission(submission, labels, source, settings)
        whole = np.concatenate(list(_probabilities(network, first, texts, progress)))
        write_submission(output, draft, labels, network.problem, whole, model)
        return len(whole)
    if submission:
        rows = _numbered_rows(_one_label(model, network))
    cells = stream_cells(source, columns.keep, settings.dialect) if columns.keep else None
    done = 0
    with open_atomically(output) as stream:
        write = _writer(stream, output, escape_formulas)
        for probabilities in _probabilities(network, first, texts, progress):
            answers = rows(network, probabilities, done)
            write(answers if cells is None else _beside(columns.keep, cells, answers))
            done += len(probabilities)
    return done


def _beside(
    names: Sequence[str], cells: Iterator[tuple[str, ...]], answers: Iterable[Row]
) -> Iterator[Row]:
    """Put the cells that are kept before each answer."""
    for answer in answers:
        taken = next((name for name in names if name in answer), None)
        if taken is not None:
            raise RunError(f"--keep {taken}: the output has its own column {taken!r}; rename yours")
        yield dict(zip(names, next(cells), strict=True)) | answer


def _probabilities(
    network: ClassifierNetwork,
    first: Sequence[Text],
    texts: Iterator[Text],
    progress: Callable[[int], None],
) -> Iterator[NDArray[np.float32]]:
    """Yield the probabilities (texts, labels) of one chunk of texts after another."""
    done = 0
    for corpus in _ahead(map(network.corpus, _chunks(first, texts))):
        yield network.problem.probabilities(network.predict_logits(corpus)).numpy()
        done += len(corpus)
        progress(done)


def _check_output(output: Path, source: str | RowsInMemory) -> None:
    if output.suffix.lower() not in OUTPUT_SUFFIXES:
        allowed = ", ".join(OUTPUT_SUFFIXES)
        raise RunError(f"{output}: unknown suffix {output.suffix!r}; allowed are {allowed}")
    _check_not_read(output, source)
    if not output.absolute().parent.is_dir():
        raise RunError(f"{output}: there is no folder {output.parent}; create it first")


def _check_not_read(output: Path, *sources: str | RowsInMemory) -> None:
    for source in sources:
        # os.path, unlike Path, answers False for names that no file system takes.
        file = source if isinstance(source, str) else ""
        if os.path.exists(output) and os.path.exists(file) and output.samefile(file):
            raise RunError(f"{output}: is the input itself; name another --output")


def _chunks(first: Sequence[Text], rest: Iterator[Text]) -> Iterator[Sequence[Text]]:
    chunk = first
    while chunk:
        yield chunk
        chunk = list(islice(rest, CHUNK_TEXTS))


def _ahead(corpora: Iterator[TokenCorpus]) -> Iterator[TokenCorpus]:
    """Read and tokenize the next chunk while this one is computed."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        coming = pool.submit(next, corpora, None)
        while (corpus := coming.result()) is not None:
            coming = pool.submit(next, corpora, None)
            yield corpus


def _label_rows(
    all_probabilities: bool,
) -> Callable[[ClassifierNetwork, np.ndarray, int], Iterable[Row]]:
    def rows(network: ClassifierNetwork, probabilities: np.ndarray, start: int) -> Iterator[Row]:
        names = network.labels.names
        labels = network.problem.answers(probabilities, names)
        for label, row in zip(labels, probabilities, strict=True):
            by_name = {name: round(float(value), 6) for name, value in zip(names, row, strict=True)}
            if isinstance(label, str):
                answer: Row = {"label": label, "probability": by_name[label]}
            else:
                answer = {"label": list(label), "probability": [by_name[name] for name in label]}
            if all_probabilities:
                answer |= {f"probability of {name}": value for name, value in by_name.items()}
            yield answer

    return rows


def _one_label(model: Model, network: ClassifierNetwork) -> SubmittedLabels:
    labels = spellings(model, network)
    if labels.several:
        raise AdapterError(
            f"{name_of(model)}: gives a text several labels, and submission writes one; omit it, or"
            " name the contest's --sample"
        )
    return labels


def _numbered_rows(
    labels: SubmittedLabels,
) -> Callable[[ClassifierNetwork, np.ndarray, int], Iterable[Row]]:
    are_integers = all(re.fullmatch(r"-?[0-9]+", value) for value in labels.values)

    def rows(network: ClassifierNetwork, probabilities: np.ndarray, start: int) -> Iterator[Row]:
        for number, best in enumerate(probabilities.argmax(-1), start):
            yield {"ID": number, "Label": int(labels.values[best] if are_integers else best)}

    return rows


def _writer(stream: TextIO, output: Path, escape_formulas: bool) -> Callable[[Iterable[Row]], None]:
    if output.suffix.lower() == ".jsonl":
        return lambda rows: stream.writelines(to_json(row) + "\n" for row in rows)
    delimiter = "\t" if output.suffix.lower() == ".tsv" else ","
    table = csv.writer(stream, delimiter=delimiter, lineterminator="\n")
    has_header = False

    def write(rows: Iterable[Row]) -> None:
        nonlocal has_header
        for row in rows:
            if not has_header:
                table.writerow(as_cell(name, escape_formulas) for name in row)
                has_header = True
            table.writerow(as_cell(_joined(value), escape_formulas) for value in row.values())

    return write


def _joined(value: object) -> object:
    return SEPARATOR.join(map(str, value)) if isinstance(value, list) else value
