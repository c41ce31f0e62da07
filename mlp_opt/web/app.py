"""The server of the live page: static files, one WebSocket a page, and the page baked into one file.

Each page has two slots, for answers that are quick and for those that are slow, and each slot works on one request
at a time: a newer request of a kind replaces the one that still waits. So a drag never queues up, and a page that
asks for much waits for itself alone.

A tab is a module of the front end and a module here that offers QUICK and SLOW handlers, functions of a request's
body that return a Reply, and `computing`, the context in which they run: its dtype and device.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request as HttpRequest
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.websockets import WebSocket, WebSocketDisconnect

from ..errors import InputError, check_name
from . import limits
from .messages import Reply, Request, failure, frame, request

STATIC = Path(__file__).parent / "static"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    b"content-security-policy": POLICY.encode(),
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"cache-control": b"no-cache",
}
TABS = ("race", "noise", "playground", "runs", "sweep", "landscape")  # modules with the handlers of a tab
log = logging.getLogger(__name__)


@cache
def handlers() -> dict[str, Callable[[dict[str, Any]], Reply]]:
    """The handlers of all tabs, quick and slow; jax is imported here, after the server is up."""
    tabs = [import_module(f".{name}", __package__) for name in TABS]
    return {kind: tab.computing()(handle) for tab in tabs for kind, handle in (tab.QUICK | tab.SLOW).items()}


def answer(asked: Request) -> bytes:
    """The frame that answers a request: bad input and unforeseen failures become an error in it."""
    try:
        handle = handlers()[check_name("kind", asked.kind, handlers())]
        return frame(asked.id, asked.kind, handle(asked.body))
    except InputError as error:
        return failure(asked.id, asked.kind, str(error))
    except Exception as error:
        log.exception("request %s failed", asked.kind[:40])
        return failure(asked.id, asked.kind, f"the server failed at this request: {type(error).__name__}")


class Slot:
    """One request at a time; of each kind only the latest waits."""

    def __init__(self, pool: ThreadPoolExecutor, send: Callable[[bytes], Any]):
        self.pool, self.send = pool, send
        self.waiting: dict[str, Request] = {}
        self.filled = asyncio.Event()

    def put(self, asked: Request) -> None:
        """InputError if too many kinds wait already: a page could make up any number of them."""
        if asked.kind not in self.waiting and len(self.waiting) >= limits.WAITING:
            raise InputError(f"{limits.WAITING} kinds of requests wait already")
        self.waiting[asked.kind] = asked  # keeps its place in the order of kinds
        self.filled.set()

    async def work(self) -> None:
        while True:
            await self.filled.wait()
            asked = self.waiting.pop(next(iter(self.waiting)))
            if not self.waiting:
                self.filled.clear()
            await self.send(await asyncio.get_running_loop().run_in_executor(self.pool, answer, asked))


class Pages:
    """The pages that are connected, and the threads that work for them."""

    def __init__(self) -> None:
        self.count = 0
        self.making = 0  # files
        self.quick = ThreadPoolExecutor(limits.WORKERS, "quick")
        self.slow = ThreadPoolExecutor(limits.SLOW_WORKERS, "slow")

    async def socket(self, page: WebSocket) -> None:
        """One page, from its first message to its last."""
        if self.count >= limits.CONNECTIONS:
            await page.close(1013, "too many pages at once")
            return
        self.count += 1
        quick, slow = Slot(self.quick, page.send_bytes), Slot(self.slow, page.send_bytes)
        workers = [asyncio.create_task(slot.work()) for slot in (quick, slow)]
        try:
            await page.accept()
            while True:
                message = await page.receive()
                if message["type"] == "websocket.disconnect":
                    break
                try:
                    asked = request(message.get("text") or message.get("bytes") or "")
                    (slow if asked.kind in SLOW_KINDS else quick).put(asked)
                except InputError as error:
                    await page.send_bytes(failure(None, "", str(error)))
        except (WebSocketDisconnect, RuntimeError):  # it has gone while we were sending
            pass
        finally:
            self.count -= 1
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)

    async def file(self, asked: HttpRequest) -> Response:
        """A race as a file: the page with the answers to its state inside, or the animation."""
        from . import bake

        name, kind, make = FILES[asked.url.path]
        body = b""
        async for part in asked.stream():
            body += part
            if len(body) > limits.MESSAGE:
                return PlainTextResponse("the request is too long", 413)
        if self.making >= limits.FILES:
            return PlainTextResponse("too many files are being made, try again later", 503)
        self.making += 1
        try:
            state = json.loads(body)
            made = await asyncio.get_running_loop().run_in_executor(self.slow, getattr(bake, make), state)
        except (InputError, ValueError, RecursionError) as error:
            return PlainTextResponse(str(error)[:1000], 400)
        finally:
            self.making -= 1
        return Response(made, media_type=kind, headers={"content-disposition": f'attachment; filename="{name}"'})

    def close(self) -> None:
        for pool in (self.quick, self.slow):
            pool.shutdown(wait=False, cancel_futures=True)


FILES = {
    "/bake": ("race.html", "text/html", "of_request"),
    "/gif": ("race.gif", "image/gif", "gif"),
}  # address: name, kind, function of bake
# Those in SLOW, named here so that jax need not be imported to know.
SLOW_KINDS = ("race/basins", "race/heat", "race/fair", "noise/bundle", "playground/begin", "sweep/importance", "sweep/replay")


class Guard:
    """Refuses what no page of ours sends: a Host that is a name (DNS rebinding), an Origin that is not the Host (another site)."""

    def __init__(self, app: Any, host: str):
        self.app, self.host = app, host

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        given = {key: value.decode("latin-1") for key, value in scope["headers"]}
        host, origin = given.get(b"host", ""), given.get(b"origin")
        needs_origin = scope["type"] == "http" and scope["method"] not in ("GET", "HEAD")
        same = origin in (f"http://{host}", f"https://{host}") if origin is not None else not needs_origin
        if not (trusted(host, self.host) and same):
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1008, "reason": "host or origin refused"})
            else:
                await PlainTextResponse("host or origin refused", 403)(scope, receive, send)
            return

        async def headed(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), *HEADERS.items()]
            await send(message)

        await self.app(scope, receive, headed if scope["type"] == "http" else send)


def trusted(host: str, own: str) -> bool:
    """Whether a Host header is localhost, an address in numbers, or the name that the server was told to listen at."""
    name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
    if name in ("localhost", own) and name:
        return True
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True


def create(host: str = "127.0.0.1") -> Any:
    """The ASGI application; host: where it listens."""
    pages = Pages()

    async def index(_: HttpRequest) -> Response:
        return FileResponse(STATIC / "index.html")

    routes = [
        Route("/", index),
        *(Route(path, pages.file, methods=["POST"]) for path in FILES),
        WebSocketRoute("/socket", pages.socket),
        Mount("/static", StaticFiles(directory=STATIC)),
    ]
    app = Starlette(routes=routes)
    app.state.pages = pages
    return Guard(app, host)
