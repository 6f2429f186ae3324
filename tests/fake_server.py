"""A real HTTP server on 127.0.0.1 that misbehaves as told, and small data sets on it:
data_fetch.py's other end.
"""

import contextlib
import gzip
import hashlib
import io
import random
import socket
import struct
import tarfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

import data_fetch
from data_fetch import Dataset, File
from refimpl.files.cifar_folder import BATCHES


@dataclass
class Seen:
    """One request: its path, where its range began (None without Range), how many bytes of body
    were sent.
    """

    path: str
    start: int | None
    sent: int = 0


@dataclass
class FakeServer:
    """`plans[path]` is what to do with the requests for a path, one entry each; then the file is
    served.

    An entry is a status (404, 503, ...), "/path" (a redirection), or one of the words in
    `Handler.send_body`.
    """

    files: dict[str, bytes]
    plans: dict[str, list] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)
    closing: threading.Event = field(default_factory=threading.Event)
    url: str = ""
    datasets: tuple[Dataset, ...] = ()

    def starts(self, path: str) -> list[int | None]:
        return [request.start for request in self.seen if request.path == path]

    def sent(self, path: str) -> int:
        return sum(request.sent for request in self.seen if request.path == path)


@contextlib.contextmanager
def serve(files: dict[str, bytes]) -> Iterator[FakeServer]:
    """Serve `files` ({"/name": content}) until the block ends; the client waits but shortly and
    uses no proxy.
    """
    fake = FakeServer(files)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_of(fake))
    server.daemon_threads = False  # so that closing waits for them
    fake.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(data_fetch, "BACKOFF", 0.01)
            patch.setattr(data_fetch, "STALL", 0.3)
            patch.setenv("NO_PROXY", "*")
            patch.setenv("no_proxy", "*")
            yield fake
    finally:
        fake.closing.set()
        server.shutdown()
        thread.join()
        server.server_close()


def _handler_of(fake: FakeServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_):
            pass

        def do_GET(self):
            self.close_connection = True
            asked = self.headers.get("Range")
            start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else None
            self.request_seen = Seen(self.path, start)
            fake.seen.append(self.request_seen)
            plan = fake.plans.get(self.path)
            with contextlib.suppress(OSError):  # the client was killed or gave up
                self.answer(plan.pop(0) if plan else "serve", start)

        def answer(self, action, start):
            content = fake.files.get(self.path)
            if isinstance(action, int):
                return self.send_head(action, length=0)
            if action.startswith("/"):
                return self.send_head(302, length=0, Location=fake.url + action)
            if content is None:
                return self.send_head(404, length=0)
            if action == "ignore range" or start is None:
                self.send_head(200, length=None if action == "endless" else len(content))
                return self.send_body(action, content)
            if start >= len(content):
                return self.send_head(416, length=0)
            start += action == "wrong range"
            span = f"bytes {start}-{len(content) - 1}/{len(content)}"
            self.send_head(206, length=len(content) - start, **{"Content-Range": span})
            self.send_body(action, content[start:])

        def send_head(self, status, length, **headers):
            self.send_response(status)
            for name, value in (fake.headers | headers).items():
                self.send_header(name, value)
            if length is not None:
                self.send_header("Content-Length", str(length))
            self.send_header("Connection", "close")
            self.end_headers()

        def send_body(self, action, body):
            half = len(body) // 2
            if action == "corrupt":
                body = body[:half] + bytes([body[half] ^ 1]) + body[half + 1 :]
            if action in ("serve", "corrupt", "ignore range", "wrong range"):
                return self.send(body)
            self.send(body[:half])
            if action == "stall":
                fake.closing.wait()
            elif action == "reset":
                self.connection.setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
                )
                self.connection.close()
            elif action == "dribble":
                for i in range(half, len(body)):
                    if fake.closing.wait(0.02):
                        return
                    self.send(body[i : i + 1])
            elif action == "endless":
                while not fake.closing.is_set():
                    self.send(body)
            else:
                assert action == "truncate"

        def send(self, data):
            self.wfile.write(data)
            self.wfile.flush()
            self.request_seen.sent += len(data)

    return Handler


# Small data sets, like data_fetch.DATASETS.

CONTENT = random.Random(0).randbytes(300_000)
RECORDS = 10  # in each .bin of the small CIFAR-10
IDX_NAMES = ["train-images.gz", "train-labels.gz", "t10k-images.gz", "t10k-labels.gz"]
CIFAR_PATH = "/c/cifar-10-binary.tar.gz"


def small_cifar(seed=0):
    """{name: content} of six batches of RECORDS, a record of each class in each."""
    rng = random.Random(seed)
    return {
        name: b"".join(bytes([label]) + rng.randbytes(3072) for label in range(RECORDS))
        for name in BATCHES
    }


def archive_of(
    files, prefix="cifar-10-batches-bin/", links=(), pack=lambda tar: gzip.compress(tar, mtime=0)
):
    """A packed tar of links [(name, type, target)] and of {name: content}; the same bytes every
    time.
    """
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, kind, target in links:
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, target
            tar.addfile(member)
        for name, content in files.items():
            member = tarfile.TarInfo(prefix + name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return pack(out.getvalue())


ARCHIVE = archive_of(small_cifar() | {"batches.meta.txt": b"airplane\n", "readme.html": b"<html>"})


def small_datasets(url, archive=ARCHIVE):
    """Four small idx files, and the archive of a small CIFAR-10."""
    digests = [hashlib.sha256(CONTENT[: 1000 + i]).hexdigest() for i in range(4)]
    files = [
        File(n, 1000 + i, digests[i], (f"{url}/m/{n}", f"{url}/n/{n}"))
        for i, n in enumerate(IDX_NAMES)
    ]
    digest = hashlib.sha256(archive).hexdigest()
    file = File(CIFAR_PATH[3:], len(archive), digest, (url + CIFAR_PATH,), packed=False)
    return Dataset("mnist", "digits", tuple(files)), Dataset(
        "cifar10", "photographs", (file,), RECORDS
    )


@contextlib.contextmanager
def serve_datasets() -> Iterator[FakeServer]:
    """Serve the small data sets; `datasets` describes them."""
    files = {f"/m/{name}": gzip.compress(CONTENT[: 1000 + i]) for i, name in enumerate(IDX_NAMES)}
    with serve(files | {CIFAR_PATH: ARCHIVE}) as fake:
        fake.datasets = small_datasets(fake.url)
        yield fake


def run(site, *arguments):
    return data_fetch.main([str(argument) for argument in arguments], site.datasets)


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def batches_in(data_dir):
    return data_dir / "cifar10" / "cifar-10-batches-bin"
