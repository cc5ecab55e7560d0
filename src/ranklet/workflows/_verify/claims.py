"""What the files of a finished run state, each read when it is first needed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ranklet.budget.plan import ParameterPlan
from ranklet.classifier import ClassifierNetwork
from ranklet.encoder.precision import choose_device
from ranklet.encoder.source import EncoderSource
from ranklet.errors import RunError
from ranklet.files import differing_names
from ranklet.lora.peft_config import SUBTRACTED_INITS
from ranklet.recipe import Recipe, load_recipe
from ranklet.run.certificate import file_hashes
from ranklet.run.folder import Run, read_json
from ranklet.run.model_source import dtype_of_trained
from ranklet.saved.model import SavedClassifier, build_saved, read_saved
from ranklet.vocabulary import Device, Precision
from ranklet.workflows.from_recipe.placement import plan_for_labels


@dataclass(frozen=True)
class StatedRun:
    """A run's files, each read when it is first needed.

    Attributes:
        run: The paths of a finished run.
        encoder_option: Used instead of the encoder that the run names.
        device_option: Where it computes.
        precision_option: Compute dtype; `auto` is what the run's recipe says.
    """

    run: Run
    encoder_option: str | None
    device_option: Device
    precision_option: Precision

    @cached_property
    def certificate(self) -> dict[str, Any]:
        """The certificate, whatever it holds."""
        return read_json(self.run.certificate)

    @cached_property
    def recipe(self) -> Recipe:
        """The recipe, validated."""
        return load_recipe(self.run.recipe)

    @cached_property
    def saved(self) -> SavedClassifier:
        """What the adapter folder holds; its files are compared with the certificate instead."""
        return read_saved(self.run.adapter, encoder=self.encoder_option, compare_sums=False)

    @cached_property
    def plan(self) -> ParameterPlan:
        """The plan of the recipe, counted again."""
        encoder = EncoderSource(self.encoder_option or self.recipe.encoder)
        return plan_for_labels(self.recipe, encoder, len(self.saved.labels))

    @cached_property
    def model(self) -> ClassifierNetwork:
        """The trained classifier, assembled from the files; its probes are not compared yet."""
        device = choose_device(self.device_option)
        dtype = dtype_of_trained(self.run, self.precision_option, device)
        return build_saved(self.saved, dtype=dtype, device=device)

    @cached_property
    def start(self) -> int:
        """Numbers of the adapter that did not train: its start, which is half of every pair."""
        if self.recipe.adapter.init not in SUBTRACTED_INITS:
            return 0
        pairs = (".lora_A.weight", ".lora_B.weight")
        tensors = self.saved.adapter.tensors
        return sum(t.numel() for name, t in tensors.items() if name.endswith(pairs)) // 2

    def hashes(self, name: str) -> Any:
        """Return what the certificate holds under a name of its hashes, or None."""
        try:
            hashes = self.certificate.get("sha256")
        except RunError:
            return None
        return hashes.get(name) if isinstance(hashes, Mapping) else None

    @cached_property
    def files(self) -> dict[str, str]:
        """SHA-256 of the run's files as they are, by path below its folder."""
        return file_hashes(self.run)

    @cached_property
    def changed(self) -> tuple[str, ...]:
        """Files whose hash is not the certificate's, by path below the run's folder."""
        certified = self.hashes("files")
        if not isinstance(certified, Mapping):
            return ()
        return tuple(differing_names(certified, self.files))

    def touched(self, place: str) -> list[str]:
        """List the changed files at or below an entry of the run's folder."""
        return [name for name in self.changed if name == place or name.startswith(f"{place}/")]
