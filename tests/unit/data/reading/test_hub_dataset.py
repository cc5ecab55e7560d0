"""The hub: cache first, then the network, each failure in one line."""

from __future__ import annotations

import hashlib
import json
import socket
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import ClassVar

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ranklet import hub
from ranklet.data.reading.hub_dataset import matching_files, split_files, split_names
from ranklet.data.reading.settings import ReadingSettings
from ranklet.data.reading.sources import read_examples
from ranklet.encoder.source import EncoderSource
from ranklet.errors import DataError, HubError
from ranklet.run.model_source import classifier_folder

SHA = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty HF_HOME, and no other variable of the hub set."""
    for name in ("HF_HUB_CACHE", "HF_HUB_OFFLINE", "HF_TOKEN", "HF_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    # huggingface_hub keeps what this variable was when it was imported.
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    return tmp_path / "home"


@pytest.fixture
def refusing(monkeypatch: pytest.MonkeyPatch) -> str:
    """An endpoint that refuses connections."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{free.getsockname()[1]}"
    monkeypatch.setenv("HF_ENDPOINT", endpoint)
    return endpoint


def cache(home: Path, repo: str, files: dict[str, bytes], kind: str = "models") -> Path:
    """Write a snapshot in the layout of the hub's cache; returns its folder."""
    storage = home / "hub" / f"{kind}--{repo.replace('/', '--')}"
    (storage / "refs").mkdir(parents=True)
    (storage / "refs" / "main").write_text(SHA)
    for name, content in files.items():
        path = storage / "snapshots" / SHA / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return storage / "snapshots" / SHA


@pytest.mark.parametrize("repo", ["roberta-base", "owner/name"])
def test_a_complete_cache_needs_no_network(home: Path, refusing: str, repo: str) -> None:
    folder = cache(home, repo, {"config.json": b"{}", "model.safetensors": b"w"})
    assert hub.hub_folder(repo, ["config.json", "*.safetensors"], "model", ["vocab.txt"]) == folder


@pytest.mark.parametrize(
    ("files", "state"),
    [({}, "does not hold it"), ({"config.json": b"{}"}, "holds only a part of it")],
)
def test_offline_a_partial_cache_is_refused(
    home: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, bytes], state: str
) -> None:
    if files:
        cache(home, "owner/name", files)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(hub, "_probe", lambda endpoint: pytest.fail("the network was tried"))
    with pytest.raises(HubError) as caught:
        hub.hub_folder("owner/name", ["config.json", "model.safetensors"], "model")
    assert str(caught.value) == (
        f"model 'owner/name': the cache {home / 'hub'} {state}, and HF_HUB_OFFLINE forbids the "
        "network; unset it, set HF_HOME to a cache that holds it, or name a folder "
        "(encoder: FOLDER)"
    )


def test_a_link_to_a_missing_blob_is_no_file(home: Path, refusing: str) -> None:
    folder = cache(home, "owner/name", {"config.json": b"{}"})
    (folder / "model.safetensors").symlink_to("../../blobs/absent")
    with pytest.raises(HubError, match="holds only a part of it"):
        hub.hub_folder("owner/name", ["config.json", "model.safetensors"], "model")


def test_without_a_network_the_answer_names_all_that_was_tried(home: Path, refusing: str) -> None:
    with pytest.raises(HubError) as caught:
        hub.hub_folder("owner/name", ["config.json"], "dataset")
    message = str(caught.value)
    for part in (str(home / "hub"), f"no answer from {refusing}", "Connection refused", "HF_HOME"):
        assert part in message
    assert "data.train: FILE" in message
    assert "\n" not in message


def test_a_silent_endpoint_is_given_up(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "PROBE_TIMEOUT_S", 0.2)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        with pytest.raises(HubError, match="no answer from"):
            hub.hub_folder("owner/name", ["config.json"], "model")


@pytest.mark.parametrize("repo_id", ["a/b/c", "", "owner/na me", "-x", "a..b", "x" * 200])
def test_a_bad_id_is_refused_before_anything_is_tried(home: Path, repo_id: str) -> None:
    with pytest.raises(
        HubError, match=r"neither a local copy nor a hub id; an id is name or owner"
    ):
        hub.hub_folder(repo_id, ["config.json"], "model")


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"HF_HUB_CACHE": "/cache"}, "/cache"),
        ({"HF_HOME": "/home"}, "/home/hub"),
        ({"XDG_CACHE_HOME": "/xdg"}, "/xdg/huggingface/hub"),
        ({"HOME": "/me"}, "/me/.cache/huggingface/hub"),
        ({"HF_HOME": "$HOME/hf", "HOME": "/me"}, "/me/hf/hub"),
    ],
)
def test_the_cache_lies_where_the_variables_say(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], expected: str
) -> None:
    for name in ("HF_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert str(hub.cache_folder()) == expected


class StandIn(BaseHTTPRequestHandler):
    """A hub of one model and one data set, both `owner/name`; everything else is refused."""

    files: ClassVar[dict[str, bytes]] = {}
    requests: ClassVar[list[tuple[str, str | None]]] = []

    def do_HEAD(self) -> None:
        self.answer(with_body=False)

    def do_GET(self) -> None:
        self.answer(with_body=True)

    def answer(self, with_body: bool) -> None:
        self.requests.append((self.path, self.headers.get("Authorization")))
        status, headers, body = self.reply(self.path.split("?")[0])
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if with_body:
            self.wfile.write(body)

    def reply(self, path: str) -> tuple[int, dict[str, str], bytes]:
        if path == "/":
            return 200, {}, b""
        if "gated" in path:
            return 403, {"X-Error-Code": "GatedRepo"}, b""
        if "broken" in path:
            return 400, {"X-Error-Message": "something\nelse"}, b""
        if "owner/name" not in path:
            return 404, {"X-Error-Code": "RepoNotFound"}, b""
        if "/tree/" in path:
            return 200, {"Content-Type": "application/json"}, json.dumps(self.tree()).encode()
        if path.startswith("/api/"):
            info = {"id": "owner/name", "sha": SHA, "siblings": []}
            return 200, {"Content-Type": "application/json"}, json.dumps(info).encode()
        content = self.files[path.split(f"/{SHA}/")[1]]
        return 200, {"X-Repo-Commit": SHA, "ETag": f'"{digest(content)}"'}, content

    def tree(self) -> list[dict[str, object]]:
        return [
            {"type": "file", "path": name, "size": len(content), "oid": digest(content)}
            for name, content in self.files.items()
        ]

    def log_message(self, format: str, *args: object) -> None:
        """Stay quiet."""


def digest(content: bytes) -> str:
    return hashlib.sha1(content).hexdigest()


@pytest.fixture
def stand_in(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[StandIn]]:
    monkeypatch.setattr(StandIn, "files", {"config.json": b"{}", "model.safetensors": b"weights"})
    monkeypatch.setattr(StandIn, "requests", [])
    server = ThreadingHTTPServer(("127.0.0.1", 0), StandIn)
    thread = Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_address[1]}/")
    yield StandIn
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_download_fills_the_cache_and_is_not_repeated(
    home: Path, stand_in: type[StandIn], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    folder = hub.hub_folder("owner/name", ["config.json", "*.safetensors"], "model", ["vocab.txt"])
    assert (folder / "model.safetensors").read_bytes() == b"weights"
    assert folder.is_relative_to(home / "hub")
    assert any(token == "Bearer hf_secret" for _, token in stand_in.requests)
    asked = len(stand_in.requests)
    assert hub.hub_folder("owner/name", ["config.json"], "model") == folder
    assert len(stand_in.requests) == asked


def test_a_partial_cache_is_completed(home: Path, stand_in: type[StandIn]) -> None:
    cache(home, "owner/name", {"config.json": b"{}"})
    folder = hub.hub_folder("owner/name", ["config.json", "model.safetensors"], "model")
    assert (folder / "model.safetensors").read_bytes() == b"weights"


@pytest.mark.parametrize(
    ("repo", "pattern", "hint"),
    [
        ("owner/other", "config.json", "no such model at http://127.0.0.1"),
        ("owner/gated", "config.json", "is gated: accept its terms at http://127.0.0.1"),
        ("owner/broken", "config.json", "download failed: "),
        ("owner/name", "tokenizer.json", "no file named tokenizer.json at http://127.0.0.1"),
    ],
)
def test_each_refusal_of_the_hub_has_its_own_line(
    stand_in: type[StandIn], repo: str, pattern: str, hint: str
) -> None:
    with pytest.raises(HubError) as caught:
        hub.hub_folder(repo, [pattern], "model")
    assert f"'{repo}'" in str(caught.value)
    assert hint in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_encoder_without_safetensors_names_the_command_that_converts_it(
    stand_in: type[StandIn], monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {"config.json": b"{}", "pytorch_model.bin": b"weights"}
    monkeypatch.setattr(stand_in, "files", files)
    command = "ranklet convert owner/name --out name-converted, or name a folder"
    with pytest.raises(HubError, match=rf"no file named model\*\.safetensors at .*{command}"):
        _ = EncoderSource("owner/name").folder
    with pytest.raises(HubError, match=rf"owner/name: no such folder, and on the hub: .*{command}"):
        classifier_folder(Path("owner/name"))


def test_a_classifier_comes_from_the_hub(
    stand_in: type[StandIn], monkeypatch: pytest.MonkeyPatch
) -> None:
    adapter = {"adapter_config.json": b"{}", "adapter_model.safetensors": b"w", "x.bin": b"more"}
    monkeypatch.setattr(stand_in, "files", adapter)
    folder = classifier_folder(Path("owner/name"))
    assert sorted(path.name for path in folder.iterdir()) == sorted(adapter)[:2]


def parquet(texts: list[str], labels: list[int]) -> bytes:
    feature = {"names": ["World", "Sports"], "_type": "ClassLabel"}
    info = json.dumps({"info": {"features": {"label": feature}}})
    sink = pa.BufferOutputStream()
    data = pa.table({"text": texts, "label": labels})
    pq.write_table(data.replace_schema_metadata({"huggingface": info}), sink)
    return sink.getvalue().to_pybytes()


SHARDS = {
    "README.md": b"",
    "data/train-00000-of-00002.parquet": parquet(["a", "b"], [0, 1]),
    "data/train-00001-of-00002.parquet": parquet(["c"], [1]),
    "data/test-00000-of-00001.parquet": parquet(["d"], [0]),
}


@pytest.mark.parametrize("where", ["cache", "network"])
def test_a_split_is_read_from_all_its_shards(
    home: Path, stand_in: type[StandIn], monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    monkeypatch.setattr(stand_in, "files", SHARDS)
    if where == "cache":
        cache(home, "owner/name", SHARDS, "datasets")
    found = read_examples("owner/name", "train", ReadingSettings("text", "label", None))
    assert found.texts == ("a", "b", "c")
    assert found.labels == ("World", "Sports", "Sports")
    assert (found.lines, found.source) == ((1, 2, 3), "owner/name/train")
    assert (stand_in.requests == []) == (where == "cache")
    assert not any("data/test" in path for path, _ in stand_in.requests)


def test_missing_shards_in_the_cache_are_fetched(
    home: Path, stand_in: type[StandIn], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stand_in, "files", SHARDS)
    first = {name: SHARDS[name] for name in list(SHARDS)[:2]}
    cache(home, "owner/name", first, "datasets")
    assert len(split_files("owner/name", "train")) == 2


@pytest.mark.parametrize(
    ("files", "split", "hint"),
    [
        (SHARDS, "validation", "no split 'validation'; its splits are 'test', 'train'"),
        ({"README.md": b""}, "train", "holds no data files that are read"),
        ({"x/train-0.parquet": b"", "y/train-0.parquet": b""}, "train", "configurations"),
    ],
)
def test_a_split_that_is_not_there_lists_those_that_are(
    stand_in: type[StandIn],
    monkeypatch: pytest.MonkeyPatch,
    files: dict[str, bytes],
    split: str,
    hint: str,
) -> None:
    monkeypatch.setattr(stand_in, "files", files)
    with pytest.raises(DataError, match=r"^owner/name: ") as caught:
        split_files("owner/name", split)
    assert hint in str(caught.value)


def test_offline_a_split_that_is_not_cached_says_what_is(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache(home, "owner/name", SHARDS, "datasets")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(HubError, match=r"'train' \(to be named as owner/name#test\); data set"):
        split_files("owner/name", "validation")


@pytest.mark.parametrize(
    ("names", "chosen"),
    [
        (["data/train-00000-of-00001-ab12.parquet", "data/test-0.parquet"], [0]),
        (["train.parquet", "training.parquet", "train_extra.parquet", "pretrain.parquet"], [0]),
        (["train-1.parquet", "train-0.parquet", "test.parquet"], [1, 0]),
        (["main/train-0.parquet", "main/test-0.parquet"], [0]),
        (
            ["default/train/0000.parquet", "default/train/0001.parquet", "default/test/0.parquet"],
            [0, 1],
        ),
        (["train/0.parquet", "validation/0.parquet"], [0]),
        (["data/train-0.parquet", "other/train-0.parquet"], [0]),
        (["train.csv", "data/train.json"], [1]),
        (["train.csv", "train.jsonl", "train.parquet"], [2]),
        (["reviews_train.csv.gz", "reviews_test.csv.gz", "train.md"], [0]),
    ],
)
def test_the_files_of_a_split_are_told_by_their_names(names: list[str], chosen: list[int]) -> None:
    assert matching_files(names, "train", "owner/name") == [names[at] for at in chosen]


def test_split_names_are_told_by_file_and_folder_names() -> None:
    names = ["data/train-0-of-1.parquet", "x/test/0000.parquet", "dev.parquet", "notes.csv"]
    assert split_names(names) == ["dev", "test", "train"]
