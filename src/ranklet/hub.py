"""Files of the Hugging Face hub: the local cache first, then the network, else one clear line.

Obeys HF_HOME, HF_HUB_CACHE, HF_ENDPOINT, HF_TOKEN and HF_HUB_OFFLINE as they are set at the time of
the call.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path
from threading import Thread
from typing import Literal, cast

from ranklet.errors import HubError

RepoType = Literal["model", "dataset"]

PROBE_TIMEOUT_S = 5.0
NOUNS = {"model": "model", "dataset": "data set"}
LOCAL_COPIES = {
    "model": "name a folder (encoder: FOLDER)",
    "dataset": "name a file (data.train: FILE)",
}


def hub_folder(
    repo_id: str,
    allow_patterns: Sequence[str],
    repo_type: RepoType,
    optional_patterns: Sequence[str] = (),
    remedy: str = "use another one",
) -> Path:
    """Return a local folder with the wanted files of a hub repository.

    The cache is asked first, without touching the network, and accepted only if every pattern has a
    file in it. The network is tried only when HF_HUB_OFFLINE is not set and the endpoint answers
    within 5 seconds, because the hub's client would retry an unreachable one for 23.

    Patterns are names or shell patterns; each must match at least one file, but for the optional
    ones. `remedy` says what else to do where the hub has no such file.

    Raises:
        HubError: A bad id, an unknown or gated repository, a pattern without a file, or neither
            cache nor network at hand.
    """
    patterns = [*allow_patterns, *optional_patterns]
    cached = _cached_snapshot(repo_id, repo_type, patterns)
    if cached is not None and not _unmatched(cached, allow_patterns):
        return cached
    _require_network(repo_id, repo_type, cached is not None)
    from huggingface_hub import snapshot_download

    with _one_line_errors(repo_id, repo_type):
        folder = snapshot_download(
            repo_id,
            repo_type=repo_type,
            allow_patterns=patterns,
            cache_dir=cache_folder(),
            endpoint=hub_endpoint(),
        )
    unmatched = _unmatched(Path(folder), allow_patterns)
    if unmatched:
        raise HubError(
            f"{NOUNS[repo_type]} {repo_id!r}: no file named {' or '.join(unmatched)} at "
            f"{hub_endpoint()}; {remedy}, or {LOCAL_COPIES[repo_type]}"
        )
    return Path(folder)


def cached_file_names(repo_id: str, repo_type: RepoType) -> tuple[str, ...]:
    """List the files of a repository that lie in the cache, sorted; never uses the network.

    Raises:
        HubError: A bad id.
    """
    folder = _cached_snapshot(repo_id, repo_type, [])
    return () if folder is None else _file_names(folder)


def listed_file_names(repo_id: str, repo_type: RepoType) -> tuple[str, ...]:
    """List the files of a repository on the hub, sorted.

    Raises:
        HubError: A bad id, an unknown or gated repository, or no network.
    """
    _require_network(repo_id, repo_type, partly_cached=False)
    from huggingface_hub import HfApi

    with _one_line_errors(repo_id, repo_type):
        names = HfApi(endpoint=hub_endpoint()).list_repo_files(repo_id, repo_type=repo_type)
    return tuple(sorted(names))


def cache_folder() -> Path:
    """Return the hub's cache folder: HF_HUB_CACHE, else `hub` in HF_HOME, else the usual place."""
    environment = os.environ
    base = environment.get("XDG_CACHE_HOME") or "~/.cache"
    home = environment.get("HF_HOME") or os.path.join(base, "huggingface")
    cache = environment.get("HF_HUB_CACHE") or os.path.join(home, "hub")
    return Path(os.path.expandvars(cache)).expanduser()


def hub_endpoint() -> str:
    """Return the address of the hub: HF_ENDPOINT, else huggingface.co."""
    return (os.environ.get("HF_ENDPOINT") or "https://huggingface.co").rstrip("/")


def is_offline() -> bool:
    """Tell whether HF_HUB_OFFLINE forbids the network, now or when huggingface_hub was imported."""
    from huggingface_hub import constants

    set_now = os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}
    return set_now or constants.HF_HUB_OFFLINE


def _cached_snapshot(repo_id: str, repo_type: RepoType, patterns: Sequence[str]) -> Path | None:
    """Return the newest cached snapshot, or None where there is none or files are known to lack."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        folder = snapshot_download(
            repo_id,
            repo_type=repo_type,
            allow_patterns=list(patterns),
            cache_dir=cache_folder(),
            local_files_only=True,
        )
    except HFValidationError as error:
        message = (
            f"{NOUNS[repo_type]} {repo_id!r}: neither a local copy nor a hub id; an id is name or "
            "owner/name, of letters, digits and - _ . ; for a local copy, "
            f"{LOCAL_COPIES[repo_type]}"
        )
        raise HubError(message) from error
    except LocalEntryNotFoundError:
        return None
    return Path(folder)


def _unmatched(folder: Path, patterns: Sequence[str]) -> list[str]:
    names = _file_names(folder)
    return [
        pattern for pattern in patterns if not any(fnmatchcase(name, pattern) for name in names)
    ]


def _file_names(folder: Path) -> tuple[str, ...]:
    # is_file follows the cache's links, so a link to a missing blob is no file.
    files = (path for path in folder.rglob("*") if path.is_file())
    return tuple(sorted(path.relative_to(folder).as_posix() for path in files))


def _require_network(repo_id: str, repo_type: RepoType, partly_cached: bool) -> None:
    state = "holds only a part of it" if partly_cached else "does not hold it"
    tried = f"{NOUNS[repo_type]} {repo_id!r}: the cache {cache_folder()} {state}"
    local = LOCAL_COPIES[repo_type]
    if is_offline():
        raise HubError(
            f"{tried}, and HF_HUB_OFFLINE forbids the network; unset it, set HF_HOME to a cache "
            f"that holds it, or {local}"
        )
    reason = _unreachable(hub_endpoint())
    if reason is not None:
        raise HubError(
            f"{tried}, and the network has no answer from {hub_endpoint()} ({reason}); connect, "
            f"set HF_ENDPOINT to a mirror or HF_HOME to a cache that holds it (HF_HUB_OFFLINE=1 "
            f"skips this attempt), or {local}"
        )


def _unreachable(endpoint: str) -> str | None:
    """Ask the endpoint for anything; return what went wrong, or None when it answered."""
    outcome: list[str | None] = []
    # A thread, because looking up a host name obeys no timeout of ours.
    probe = Thread(target=lambda: outcome.append(_probe(endpoint)), daemon=True)
    probe.start()
    probe.join(PROBE_TIMEOUT_S)
    return outcome[0] if outcome else f"nothing within {PROBE_TIMEOUT_S:g} s"


def _probe(endpoint: str) -> str | None:
    import ssl
    from http.client import HTTPException
    from urllib.error import HTTPError, URLError
    from urllib.request import Request, urlopen

    try:
        with urlopen(Request(endpoint, method="HEAD"), timeout=PROBE_TIMEOUT_S):
            return None
    except HTTPError as error:
        error.close()
        return None
    except URLError as error:
        # The hub's client brings certificates of its own: let it decide.
        return None if isinstance(error.reason, ssl.SSLError) else str(error.reason)
    except (OSError, HTTPException, ValueError) as error:
        return str(error) or type(error).__name__


@contextmanager
def _one_line_errors(repo_id: str, repo_type: RepoType) -> Iterator[None]:
    """Turn whatever the hub's client raises into a HubError of one line."""
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError

    # The base class comes from httpx or httpx2, depending on the version of huggingface_hub.
    transport_error = cast("type[Exception]", HfHubHTTPError.__mro__[1])
    what = f"{NOUNS[repo_type]} {repo_id!r}"
    try:
        yield
    except GatedRepoError as error:
        raise HubError(
            f"{what} is gated: accept its terms at {hub_endpoint()} and set HF_TOKEN to your token"
        ) from error
    except RepositoryNotFoundError as error:
        raise HubError(
            f"{what}: no such {NOUNS[repo_type]} at {hub_endpoint()}; check the spelling, set "
            f"HF_TOKEN if it is private, or {LOCAL_COPIES[repo_type]}"
        ) from error
    except (OSError, transport_error) as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise HubError(f"{what}: download failed: {lines[0]}; try again") from error
