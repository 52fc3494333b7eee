"""A server on this machine that does what servers do to long downloads."""

import hashlib
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Site:
    """Files by name, and how the next requests are answered.

    script: one entry a request, after which all are answered properly:
    ("cut", n): the connection ends after n bytes; ("stall", n): after n bytes nothing comes;
    ("whole",): Range is ignored; ("status", code); ("unsized",): no Content-Length;
    ("lie",): a Range is answered with another one.
    tagged: whether answers carry an ETag (of the content).
    """

    files: dict[str, bytes]
    script: list[tuple[Any, ...]] = field(default_factory=list)
    tagged: bool = True
    requests: list[tuple[str, str | None]] = field(default_factory=list)  # name, Range
    url: str = ""
    over: threading.Event = field(default_factory=threading.Event)


@contextmanager
def serve(**files: bytes) -> Iterator[Site]:
    """Serve files on the loopback interface for as long as the block lasts."""
    site = Site({name.replace("_dot_", "."): content for name, content in files.items()})

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *arguments: Any) -> None:
            """Say nothing."""

        def do_GET(self) -> None:
            answer(self, site)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    site.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield site
    finally:
        site.over.set()
        server.shutdown()
        server.server_close()
        thread.join(10)


def answer(handler: BaseHTTPRequestHandler, site: Site) -> None:
    """Answer one request, as the script has it."""
    name = handler.path.rpartition("/")[2]
    asked = handler.headers.get("Range")
    site.requests.append((name, asked))
    kind, *values = site.script.pop(0) if site.script else ("proper",)
    handler.close_connection = True
    if kind == "status" or name not in site.files:
        handler.send_error(values[0] if kind == "status" else 404)
        return
    content = site.files[name]
    tag = f'"{hashlib.md5(content).hexdigest()}"'
    first, wanted = 0, re.fullmatch(r"bytes=(\d+)-", asked or "")
    known = handler.headers.get("If-Range")
    if wanted and kind != "whole" and known in (None, tag):
        first = int(wanted[1])
        if first >= len(content):
            handler.send_error(416)
            return
    if kind == "lie":
        first = max(0, first - 7)
    body = content[first:]
    handler.send_response(206 if first else 200)
    if first:
        handler.send_header("Content-Range", f"bytes {first}-{len(content) - 1}/{len(content)}")
    if kind != "unsized":
        handler.send_header("Content-Length", str(len(body)))
    if site.tagged:
        handler.send_header("ETag", tag)
    handler.end_headers()
    if kind in ("cut", "stall"):
        body = body[: values[0]]
    handler.wfile.write(body)
    handler.wfile.flush()
    if kind == "stall":
        site.over.wait(20)
