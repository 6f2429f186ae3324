"""A real HTTP server on 127.0.0.1 that misbehaves as told: the other end of data_fetch.py in its tests."""

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Seen:
    """One request: its path, where its range began (None without Range), how many bytes of body were sent."""

    path: str
    start: int | None
    sent: int = 0


@dataclass
class FakeServer:
    """`plans[path]` is what to do with the requests for a path, one entry each; then the file is served.

    An entry is a status (404, 503, ...), "/path" (a redirection), or one of the words in `Handler.send_body`.
    """

    files: dict[str, bytes]
    plans: dict[str, list] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)
    closing: threading.Event = field(default_factory=threading.Event)
    halfway: threading.Event = field(default_factory=threading.Event)
    url: str = ""

    def starts(self, path: str) -> list[int | None]:
        return [request.start for request in self.seen if request.path == path]

    def sent(self, path: str) -> int:
        return sum(request.sent for request in self.seen if request.path == path)


@contextlib.contextmanager
def serve(files: dict[str, bytes]) -> Iterator[FakeServer]:
    """Serve `files` ({"/name": content}) until the block ends."""
    fake = FakeServer(files)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_of(fake))
    server.daemon_threads = False  # so that closing waits for them
    fake.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
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
            said = start + 1 if action == "wrong range" else start
            span = f"bytes {said}-{len(content) - 1}/{len(content)}"
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
            fake.halfway.set()
            if action == "stall":
                fake.closing.wait()
            elif action == "reset":
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
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
