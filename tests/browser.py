"""A headless Chromium, driven over its DevTools protocol with websockets; nothing else is needed."""

from __future__ import annotations

import base64
import itertools
import json
import os
import shutil
import subprocess
import tempfile
import time
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from websockets.sync.client import connect

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


def find() -> str | None:
    """The browser's path; None if there is none."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


class Browser:
    """One browser with one page. Collects console errors, failures and the addresses of all requests."""

    def __init__(self, width: int = 1280, height: int = 900):
        self.folder = tempfile.mkdtemp(prefix="browser-")
        flags = ["--headless=new", "--no-first-run", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking"]
        flags += ["--disable-component-update", "--disable-sync", "--disable-extensions", "--no-default-browser-check", "--mute-audio"]
        flags += ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
        place = [f"--user-data-dir={self.folder}", "--remote-debugging-port=0", "--remote-allow-origins=*"]
        self.process = subprocess.Popen([str(find()), *flags, *place, "about:blank"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        port = self._port()
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list", timeout=30) as answer:
            address = next(tab["webSocketDebuggerUrl"] for tab in json.load(answer) if tab["type"] == "page")
        self.stack = ExitStack()
        self.socket = self.stack.enter_context(connect(address, max_size=None, open_timeout=30, proxy=None))
        self.numbers, self.errors, self.requests, self.downloads = itertools.count(1), [], [], {}
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        self.resize(width, height)

    def _port(self) -> int:
        file, until = Path(self.folder) / "DevToolsActivePort", time.monotonic() + 60
        while time.monotonic() < until:
            if file.exists() and (text := file.read_text()).count("\n"):
                return int(text.split()[0])
            time.sleep(0.05)
        raise TimeoutError("the browser has not started")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One command; its result. Events that arrive in between are noted."""
        number = next(self.numbers)
        self.socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self.socket.recv(timeout=120))
            if message.get("id") == number:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']['message']}")
                return message["result"]
            self._note(message)

    def _note(self, message: dict[str, Any]) -> None:
        kind, told = message.get("method"), message.get("params", {})
        if kind == "Runtime.exceptionThrown":
            self.errors.append(json.dumps(told["exceptionDetails"].get("exception", told))[:600])
        elif kind == "Runtime.consoleAPICalled" and told["type"] in ("error", "warning", "assert"):
            self.errors.append(json.dumps([a.get("value", a.get("description")) for a in told["args"]]))
        elif kind == "Log.entryAdded" and told["entry"]["level"] == "error":
            self.errors.append(told["entry"]["text"] + " " + told["entry"].get("url", ""))
        elif kind == "Network.requestWillBeSent":
            self.requests.append(told["request"]["url"])
        elif kind == "Network.webSocketCreated":
            self.requests.append(told["url"])
        elif kind in ("Browser.downloadWillBegin", "Browser.downloadProgress"):
            self.downloads.setdefault(told["guid"], {}).update(told)

    def run(self, script: str) -> Any:
        """The value of a script, awaited if it is a promise."""
        found = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in found:
            raise RuntimeError(json.dumps(found["exceptionDetails"])[:800])
        return found["result"].get("value")

    def forget(self) -> None:
        """An empty page, and nothing kept of what the one before asked for or met (it may still be calling for its server)."""
        self.call("Page.navigate", url="about:blank")
        self.errors.clear()
        self.requests.clear()

    def open(self, url: str) -> None:
        """Go to an address, as if typed into an empty page."""
        self.call("Page.navigate", url="about:blank")
        self.call("Page.navigate", url=url)

    def wait(self, script: str, seconds: float = 60) -> Any:
        """Until the script is true; its value."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if found := self.run(script):
                return found
            if self.errors:  # what failed to load will not be drawn
                raise RuntimeError(f"{script}: {self.errors}")
            time.sleep(0.03)
        raise TimeoutError(f"not within {seconds} s: {script}\n{self.errors}")

    def download(self, entry: str, folder: Path, seconds: float = 60) -> Path:
        """Press an entry of the page's menu; the file it leaves, once the browser says that it is complete."""
        self.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(folder), eventsEnabled=True)
        self.downloads.clear()
        self.run(f"[...document.querySelectorAll('.menu .list button')].find((b) => b.textContent.includes('{entry}')).click()")
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.run("1")  # events come in beside an answer
            if done := [one for one in self.downloads.values() if one.get("state") == "completed"]:
                return folder / done[0]["suggestedFilename"]
            time.sleep(0.03)
        raise TimeoutError(f"{entry} was not saved within {seconds} s: {self.downloads}")

    def outside(self, url: str) -> list[str]:
        """The addresses of requests that went elsewhere than to the page's server."""
        own = urlsplit(url).netloc
        return [asked for asked in self.requests if urlsplit(asked).netloc != own and not asked.startswith(("data:", "blob:", "about:"))]

    def resize(self, width: int, height: int, touch: bool = False) -> None:
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=touch)
        self.call("Emulation.setTouchEmulationEnabled", enabled=touch)

    def prefer(self, **features: str) -> None:
        """Media features, as prefer(prefers_color_scheme="dark")."""
        named = [{"name": name.replace("_", "-"), "value": value} for name, value in features.items()]
        self.call("Emulation.setEmulatedMedia", features=named)

    def mouse(self, kind: str, x: float, y: float) -> None:
        held = {"mousePressed": 1, "mouseReleased": 0, "mouseMoved": 1}[kind]
        button = "left" if kind != "mouseMoved" or held else "none"
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button=button, buttons=held, clickCount=1)

    def key(self, key: str, shift: bool = False) -> None:
        text = {"text": " "} if key == " " else {}
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, modifiers=8 if shift else 0, **(text if kind == "keyDown" else {}))

    def picture(self, full: bool = False) -> bytes:
        """The page as PNG."""
        return base64.b64decode(self.call("Page.captureScreenshot", format="png", captureBeyondViewport=full)["data"])

    def close(self) -> None:
        self.stack.close()
        self.process.terminate()
        self.process.wait(30)
        shutil.rmtree(self.folder, ignore_errors=True)
