"""The live page's server in a thread of the test."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from websockets.sync.client import connect

from mlp_opt.web import serve
from mlp_opt.web.messages import unpack


@contextmanager
def serving(port: int = 0) -> Iterator[str]:
    """The page's address, at this port or any that is free."""
    opened = serve.listen("127.0.0.1", port)
    server = serve.Server(opened)
    thread = threading.Thread(target=server.run_here)
    thread.start()
    try:
        while not server.started and thread.is_alive():
            time.sleep(0.01)
        yield serve.address(opened)
    finally:
        server.should_exit = True
        thread.join(30)
        assert not thread.is_alive()


class Page:
    """What a page says and hears, without a browser."""

    def __init__(self, url: str, **options: Any):
        self.open = ExitStack()
        self.socket = self.open.enter_context(connect(url.replace("http", "ws") + "socket", max_size=None, proxy=None, **options))
        self.id = 0

    def say(self, kind: str, **body: Any) -> int:
        self.id += 1
        self.socket.send(json.dumps({"id": self.id, "kind": kind, **body}))
        return self.id

    def hear(self, seconds: float = 120) -> tuple[dict[str, Any], dict[str, Any]]:
        return unpack(self.socket.recv(timeout=seconds))

    def ask(self, kind: str, **body: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        number = self.say(kind, **body)
        header, arrays = self.hear()
        assert header["id"] == number
        return header, arrays

    def __enter__(self) -> Page:
        return self

    def __exit__(self, *_: Any) -> None:
        self.open.close()
