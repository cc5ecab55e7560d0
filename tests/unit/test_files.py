from __future__ import annotations

import csv
import errno
import hashlib
import os
import resource
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ranklet.errors import RunError
from ranklet.files import (
    check_regular_file,
    open_atomically,
    read_json_object,
    sha256_file,
    sha256_json,
    write_atomically,
)


def stream_lines(path: Path, data: str) -> None:
    with open_atomically(path) as stream:
        for line in data.splitlines(keepends=True):
            stream.write(line)


WRITERS = pytest.mark.parametrize("write", [write_atomically, stream_lines])
Writer = Callable[[Path, str], None]


@WRITERS
@pytest.mark.parametrize("data", ["", "one\ntwo\r\n", "é😀\x85\n", "x" * 300_000 + "\n"])
def test_content_is_written_as_given(tmp_path: Path, write: Writer, data: str) -> None:
    path = tmp_path / "out.txt"
    write(path, "earlier")
    write(path, data)
    assert path.read_bytes() == data.encode("utf-8")
    assert os.listdir(tmp_path) == ["out.txt"]


def test_bytes_are_written_as_given(tmp_path: Path) -> None:
    write_atomically(tmp_path / "out", b"\x00\xff\r\n")
    assert (tmp_path / "out").read_bytes() == b"\x00\xff\r\n"


def test_csv_rows_stream_without_newline_translation(tmp_path: Path) -> None:
    with open_atomically(tmp_path / "out.csv") as stream:
        csv.writer(stream).writerow(["a\nb", "c"])
    assert (tmp_path / "out.csv").read_bytes() == b'"a\nb",c\r\n'


def test_nothing_is_seen_before_the_block_ends(tmp_path: Path) -> None:
    path = tmp_path / "out.txt"
    with open_atomically(path) as stream:
        stream.write("x" * 100_000)
        stream.flush()
        assert not path.exists()
    assert path.exists()


@pytest.mark.parametrize("mask", [0o022, 0o077])
def test_permissions_follow_the_umask(tmp_path: Path, mask: int) -> None:
    earlier = os.umask(mask)
    try:
        write_atomically(tmp_path / "out", "x")
    finally:
        os.umask(earlier)
    assert (tmp_path / "out").stat().st_mode & 0o777 == 0o666 & ~mask


def test_permissions_of_an_earlier_file_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.touch(mode=0o600)
    write_atomically(path, "x")
    assert path.stat().st_mode & 0o777 == 0o600


def test_symbolic_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "real" / "out")
    write_atomically(link, "x")
    assert link.is_symlink()
    assert (tmp_path / "real" / "out").read_text() == "x"


@WRITERS
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("missing/out", "create the folder first"),
        ("folder", "not a regular file"),
        ("fifo", "not a regular file"),
        ("file/out", "is a file"),
        ("n" * 300, "shorter name"),
        ("nul\0", "null"),
    ],
)
def test_bad_paths_are_refused_in_one_line(
    tmp_path: Path, write: Writer, name: str, reason: str
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(RunError, match=reason) as caught:
        write(tmp_path / name, "x")
    assert str(caught.value).startswith(f"cannot write {tmp_path / name}: ")
    assert len(str(caught.value).splitlines()) == 1
    assert sorted(os.listdir(tmp_path)) == ["fifo", "file", "folder"]


@WRITERS
@pytest.mark.parametrize("function", ["fsync", "replace"])
@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (errno.ENOSPC, "no space left on device; free some space"),
        (errno.EDQUOT, "free some of the quota"),
        (errno.EROFS, "read-only file system; write to another folder"),
        (errno.EACCES, "permission denied; get permission"),
        (errno.EIO, "choose another path"),
    ],
)
def test_failing_system_call_leaves_the_earlier_file(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    write: Writer,
    function: str,
    number: int,
    reason: str,
) -> None:
    def fail(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    path = tmp_path / "out"
    path.write_text("earlier")
    monkeypatch.setattr(os, function, fail)
    with pytest.raises(RunError, match=reason):
        write(path, "later")
    assert path.read_text() == "earlier"
    assert os.listdir(tmp_path) == ["out"]


@pytest.fixture
def largest_file() -> Iterator[int]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, hard))
    yield 50_000
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@WRITERS
def test_write_failing_halfway_leaves_the_earlier_file(
    tmp_path: Path, largest_file: int, write: Writer
) -> None:
    path = tmp_path / "out"
    path.write_text("earlier")
    with pytest.raises(RunError, match=r"^cannot write .*out: file too large"):
        write(path, "a line of text\n" * largest_file)
    assert path.read_text() == "earlier"
    assert os.listdir(tmp_path) == ["out"]


FULL_DISK = """
import sys
from pathlib import Path
from ranklet.errors import RunError
from ranklet.files import write_atomically
path = Path(sys.argv[1]) / "out"
write_atomically(path, "earlier")
try:
    write_atomically(path, b"x" * 1_000_000)
except RunError as error:
    print(error)
print(path.read_text(), [entry.name for entry in path.parent.iterdir()])
"""


def test_full_disk_leaves_the_earlier_file(tmp_path: Path) -> None:
    mount = 'mount -t tmpfs -o size=64k tmpfs "$1" || exit 77; exec "$2" -c "$3" "$1"'
    arguments = [str(tmp_path), sys.executable, FULL_DISK]
    try:
        done = subprocess.run(
            ["unshare", "--mount", "sh", "-c", mount, "sh", *arguments],
            capture_output=True,
            text=True,
        )
    except FileNotFoundError:
        pytest.skip("no unshare command here")
    if done.returncode == 77 or done.stderr.startswith("unshare:"):
        pytest.skip("this user may not mount a small file system")
    assert done.stdout.splitlines() == [
        f"cannot write {tmp_path / 'out'}: no space left on device; "
        "free some space or write to another disk",
        "earlier ['out']",
    ], done.stderr


@pytest.mark.parametrize("error", [KeyError("x"), KeyboardInterrupt(), FileNotFoundError(2, "x")])
def test_error_of_the_block_passes_unchanged(tmp_path: Path, error: BaseException) -> None:
    def write_and_fail() -> None:
        with open_atomically(path) as stream:
            stream.write("x" * 100_000)
            raise error

    path = tmp_path / "out"
    path.write_text("earlier")
    with pytest.raises(type(error)) as caught:
        write_and_fail()
    assert caught.value is error
    assert path.read_text() == "earlier"
    assert os.listdir(tmp_path) == ["out"]


@pytest.mark.parametrize("data", [b"", b"abc", b"x" * 1_000_000])
def test_sha256_of_a_file(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "file").write_bytes(data)
    assert sha256_file(tmp_path / "file") == hashlib.sha256(data).hexdigest()


def test_sha256_of_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"^cannot read .*gone: no such file"):
        sha256_file(tmp_path / "gone")


def test_hash_of_json_is_that_of_its_sorted_keys_without_blanks() -> None:
    expected = hashlib.sha256(b'{"a":[1,2.5],"b":null}').hexdigest()
    assert sha256_json({"b": None, "a": [1, 2.5]}) == expected


# What is no file


@pytest.fixture(params=["pipe", "socket", "device"])
def endless(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """Something that is read without an end, or whose opening waits for another program."""
    path = tmp_path / request.param
    if request.param == "pipe":
        os.mkfifo(path)
        yield path
    elif request.param == "device":
        path.symlink_to("/dev/zero")
        yield path
    else:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(path))
            yield path


@pytest.mark.timeout(20)
def test_what_never_ends_is_refused_by_name(endless: Path) -> None:
    expected = f"is a {endless.name}, not a file; write what it gives to a file first and name that"
    with pytest.raises(RunError) as caught:
        check_regular_file(endless, RunError)
    assert str(caught.value) == expected
    for read in (sha256_file, lambda path: read_json_object(path, RunError)):
        with pytest.raises(RunError) as caught:
            read(endless)
        assert str(caught.value) == f"{endless}: {expected}"


def test_files_and_what_is_missing_pass(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(Path(__file__))
    for path in (Path(__file__), tmp_path / "link", tmp_path, tmp_path / "none", Path("a\0b")):
        check_regular_file(path, RunError)


def test_a_signal_leaves_nothing_behind(tmp_path: Path) -> None:
    """SIGTERM ends a program in the middle of its output."""
    code = (
        "import os, signal, sys\nfrom pathlib import Path\n"
        "from ranklet.cli.exit_codes import exit_code_of\n"
        "from ranklet.files import open_atomically\n"
        "def command():\n"
        "    with open_atomically(Path('out.csv')) as stream:\n"
        "        stream.write('half')\n        stream.flush()\n"
        "        os.kill(os.getpid(), signal.SIGTERM)\n"
        "        stream.write('whole')\n"
        "sys.exit(exit_code_of(command, with_traceback=False))\n"
    )
    (tmp_path / "out.csv").write_text("earlier")
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (143, "error: stopped by SIGTERM\n")
    assert os.listdir(tmp_path) == ["out.csv"]
    assert (tmp_path / "out.csv").read_text() == "earlier"
