"""data_fetch.py gets one file from a real server that misbehaves. Whole runs:
test_data_fetch_runs.py, ..._cifar.py.
"""

import gzip
import hashlib
import socket
import sys
from dataclasses import replace

import pytest
from fake_server import CONTENT, names_in, serve

import data_fetch
from data_fetch import File, check

PATH = "/a/images.gz"


@pytest.fixture
def server():
    """Serves CONTENT, gzipped, at two addresses."""
    packed = gzip.compress(CONTENT, mtime=0)
    with serve({PATH: packed, "/b/images.gz": packed}) as fake:
        yield fake


def get(file, folder):
    data_fetch.get(file, folder, file.sources)


def images(server, *folders, content=CONTENT):
    """The File that `server` has in `folders`."""
    sources = tuple(f"{server.url}/{folder}/images.gz" for folder in folders or ["a"])
    return File("images.gz", len(content), hashlib.sha256(content).hexdigest(), sources)


def assert_got(server, folder):
    assert (folder / "images.gz").read_bytes() == server.files[PATH]
    assert names_in(folder) == ["images.gz"]


def test_a_good_server_sends_every_byte_once(server, tmp_path):
    get(images(server), tmp_path)
    assert_got(server, tmp_path)
    assert server.starts(PATH) == [None]
    assert server.sent(PATH) == len(server.files[PATH])


@pytest.mark.parametrize("fault", ["truncate", "stall"])
def test_a_broken_download_resumes_and_no_byte_is_sent_twice(server, tmp_path, fault):
    server.plans[PATH] = [fault, fault]
    get(images(server), tmp_path)
    assert_got(server, tmp_path)
    size = len(server.files[PATH])
    assert server.starts(PATH) == [None, size // 2, size // 2 + (size - size // 2) // 2]
    assert server.sent(PATH) == size


def test_a_reset_connection_resumes(server, tmp_path):
    server.plans[PATH] = ["reset"]
    get(images(server), tmp_path)
    assert_got(server, tmp_path)
    assert len(server.seen) == 2
    assert (server.starts(PATH)[1] or 0) <= len(
        server.files[PATH]
    ) // 2  # what arrived before a reset may be lost


def test_a_server_that_ignores_range_starts_again(server, tmp_path):
    server.plans[PATH] = ["truncate", "ignore range"]
    get(images(server), tmp_path)
    assert_got(server, tmp_path)
    assert server.starts(PATH) == [None, len(server.files[PATH]) // 2]


def test_the_bytes_of_another_range_are_thrown_away(server, tmp_path):
    server.plans[PATH] = ["truncate", "wrong range"]
    get(images(server), tmp_path)
    assert_got(server, tmp_path)
    assert server.starts(PATH)[2] is None


def test_a_corrupted_download_is_thrown_away(server, tmp_path):
    server.plans[PATH] = ["corrupt"]
    get(images(server), tmp_path)
    assert_got(server, tmp_path)
    assert server.starts(PATH) == [None, None]


def part_of(server, tmp_path, content):
    """A part left by an earlier run that was cut off."""
    server.plans[PATH] = ["truncate", 404]
    with pytest.raises(OSError, match="no source worked"):
        get(images(server), tmp_path)
    [part] = tmp_path.glob(".images.gz.*.part")
    part.write_bytes(content)
    server.seen.clear()


def test_a_whole_part_needs_no_byte_more(server, tmp_path):
    part_of(server, tmp_path, server.files[PATH])
    get(images(server), tmp_path)
    assert_got(server, tmp_path)
    assert server.sent(PATH) == 0


@pytest.mark.parametrize("extra", [-100, 0, 100])
def test_a_wrong_part_is_thrown_away(server, tmp_path, extra):
    part_of(server, tmp_path, bytes(len(server.files[PATH]) + extra))
    get(images(server), tmp_path)
    assert_got(server, tmp_path)
    assert server.starts(PATH)[-1] is None


def test_redirections_are_followed_with_the_range(server, tmp_path):
    server.plans[PATH] = ["truncate", "/b/images.gz"]
    get(images(server), tmp_path)
    assert_got(server, tmp_path)
    assert server.starts("/b/images.gz") == [len(server.files[PATH]) // 2]


def test_404_is_asked_once_and_the_next_source_serves(server, tmp_path):
    server.plans[PATH] = [404]
    get(images(server, "a", "b"), tmp_path)
    assert_got(server, tmp_path)
    assert [request.path for request in server.seen] == [PATH, "/b/images.gz"]


def test_after_a_few_tries_the_next_source_serves_from_its_start(server, tmp_path):
    server.plans[PATH] = ["truncate"] + [500] * 9
    get(images(server, "a", "b"), tmp_path)
    assert_got(server, tmp_path)
    assert len(server.starts(PATH)) == data_fetch.TRIES
    assert server.starts("/b/images.gz") == [None]


@pytest.mark.parametrize(
    ("asked", "waits"), [("7", [7, 7]), ("9999", [60, 60]), ("Wed, soon", [0.01, 0.02])]
)
def test_503_is_asked_again_after_what_it_says_within_a_cap(
    server, tmp_path, monkeypatch, asked, waits
):
    slept = []
    monkeypatch.setattr(data_fetch.time, "sleep", slept.append)
    server.plans[PATH] = [503, 429]
    server.headers["Retry-After"] = asked
    get(images(server), tmp_path)
    assert_got(server, tmp_path)
    assert slept == waits


def test_when_every_source_fails_the_message_says_why(server, tmp_path):
    server.plans = {PATH: [404], "/b/images.gz": ["corrupt"] * 9}
    with pytest.raises(OSError, match="images.gz: no source worked") as caught:
        get(images(server, "a", "b"), tmp_path)
    lines = str(caught.value).splitlines()
    assert lines[1].startswith(f"  {server.url}{PATH}: HTTP Error 404")
    assert lines[2].startswith(f"  {server.url}/b/images.gz: ")
    assert "images.gz" in lines[2]
    assert len(server.starts("/b/images.gz")) == 2  # wrong twice is wrong
    assert names_in(tmp_path) == []


def test_nobody_listening(server, tmp_path):
    file = replace(images(server), sources=("http://127.0.0.1:1/images.gz",))
    with pytest.raises(OSError, match="Connection refused"):
        get(file, tmp_path)


def test_an_unknown_name_is_asked_for_once(server, tmp_path, monkeypatch):
    asked = []

    def look_up(host, *_, **__):
        asked.append(host)
        raise socket.gaierror("Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    with pytest.raises(OSError, match="Name or service not known"):
        get(replace(images(server), sources=("http://nowhere.example/images.gz",)), tmp_path)
    assert asked == ["nowhere.example"]


def test_a_file_without_end_is_cut_at_its_size(server, tmp_path):
    server.plans[PATH] = ["endless"] * 9
    with pytest.raises(OSError, match="expected at most .* bytes, found more"):
        get(images(server), tmp_path)
    assert server.sent(PATH) < 20_000_000
    assert names_in(tmp_path) == []


def test_of_a_gzip_bomb_little_is_unpacked(server, tmp_path):
    bomb = gzip.compress(CONTENT[:1000] + bytes(100_000_000))
    server.files[PATH] = bomb[:-100]  # who unpacks it all finds it damaged
    with pytest.raises(OSError, match="images.gz: expected 300,000 bytes, found more"):
        get(images(server), tmp_path)
    assert names_in(tmp_path) == []


def test_the_content_counts_not_how_it_is_packed(server, tmp_path):
    server.files[PATH] = gzip.compress(CONTENT, 1, mtime=99)
    get(images(server), tmp_path)
    check(tmp_path / "images.gz", images(server))


def test_a_local_source_comes_first_and_is_passed_over_when_absent_or_wrong(
    server, tmp_path, capsys
):
    local = tmp_path / "debian.gz"
    file = replace(images(server), sources=(str(local), *images(server).sources))
    for content, requests in (
        (None, 1),
        (b"junk", 2),
        (gzip.compress(CONTENT[1:]), 3),
        (server.files[PATH], 3),
    ):
        if content is not None:
            local.write_bytes(content)
        folder = tmp_path / f"{requests} {content is None} {len(content or b'')}"
        folder.mkdir()
        get(file, folder)
        assert_got(server, folder)
        assert len(server.seen) == requests
        assert (f"images.gz: from {local}" in capsys.readouterr().out) == (content is not None)


def test_of_a_local_file_that_is_too_large_little_is_read(server, tmp_path):
    with open(tmp_path / "large", "wb") as large:
        large.truncate(1 << 42)
    with pytest.raises(OSError, match="images.gz: expected 300,000 bytes, found more"):
        get(replace(images(server), sources=(str(tmp_path / "large"),)), tmp_path)
    assert names_in(tmp_path) == ["large"]


def test_progress_is_shown_on_a_terminal_only(server, tmp_path, capsys, monkeypatch):
    get(images(server), tmp_path)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    (tmp_path / "again").mkdir()
    get(images(server), tmp_path / "again")
    assert capsys.readouterr().err.endswith("\r  0.3 of 0.3 MB\n")
