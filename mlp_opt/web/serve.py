"""Runs the page's server: a socket on the loopback, the programs compiled in the background, a clean stop."""

from __future__ import annotations

import contextlib
import logging
import signal
import socket
import threading
import webbrowser
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import uvicorn

from ..errors import InputError
from . import app, folders, limits

PORT = 8765
FIRST = "himmelblau"  # the surface that the page opens with


def listen(host: str, port: int | None) -> socket.socket:
    """A listening socket at the port; without one at PORT or, if that is taken, any free one. InputError if it cannot be."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    tries = [PORT, 0] if port is None else [port]
    for number in tries:
        opened = socket.socket(family, socket.SOCK_STREAM)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            opened.bind((host, number))
            opened.listen(128)
            return opened
        except (OSError, OverflowError) as error:
            opened.close()
            reason = error
    where = f"{host}:{tries[0]}"
    raise InputError(f"cannot listen at {where}: {getattr(reason, 'strerror', None) or reason}; choose another --host or --port")


def address(opened: socket.socket) -> str:
    """The URL of a listening socket."""
    host, port = opened.getsockname()[:2]
    if host in ("0.0.0.0", "::"):
        host = "localhost"
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


class Server(uvicorn.Server):
    """uvicorn's server on a socket of ours, which may also run in a thread of a test."""

    def __init__(self, opened: socket.socket, host: str = "127.0.0.1"):
        self.opened, self.page = opened, app.create(host)
        config = uvicorn.Config(
            self.page, log_level="warning", access_log=False, lifespan="off", ws="websockets-sansio", ws_max_size=limits.MESSAGE,
            ws_max_queue=16, ws_per_message_deflate=False, timeout_graceful_shutdown=1, server_header=False, proxy_headers=False,
        )  # fmt: skip
        super().__init__(config)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Ctrl-C and SIGTERM end the server; uvicorn would raise them once more afterwards."""
        main = threading.current_thread() is threading.main_thread()
        before = {kind: signal.signal(kind, self.handle_exit) for kind in (signal.SIGINT, signal.SIGTERM)} if main else {}
        try:
            yield
        finally:
            for kind, handler in before.items():
                signal.signal(kind, handler)

    def run_here(self) -> None:
        """Serve until told to stop."""
        try:
            self.run(sockets=[self.opened])
        finally:
            self.page.app.state.pages.close()


def warm(stop: threading.Event) -> None:
    """Compile the first surface's programs, the other tabs', then the other surfaces', one at a time, until told to stop."""
    from ..surfaces import SURFACES
    from . import noise, playground, race

    surfaces: dict[str, Callable[[], None]] = {name: partial(race.warm, name) for name in sorted(SURFACES, key=lambda name: name != FIRST)}
    for name, prepare in {FIRST: surfaces[FIRST], "noise": noise.warm, "playground": playground.warm, **surfaces}.items():
        if stop.is_set():
            return
        try:
            prepare()
        except Exception:
            logging.getLogger(__name__).exception("could not prepare %s", name)


def main(host: str, port: int | None, show: bool, runs: Path) -> int:
    """Serve until Ctrl-C; 0. runs: the folder whose runs the page may look at."""
    folders.use(runs)
    opened = listen(host, port)
    server, stop = Server(opened, host), threading.Event()
    url = address(opened)
    print(f"{url}  (Ctrl-C stops)", flush=True)
    if show:
        webbrowser.open(url)
    thread = threading.Thread(target=warm, args=(stop,), daemon=True)
    thread.start()
    server.run_here()
    stop.set()
    thread.join(10)  # a program being compiled is finished: the interpreter must not end under it
    return 0
