"""Drives a headless Chromium without a network, over the pipe of its DevTools protocol."""

from __future__ import annotations

import base64
import fcntl
import itertools
import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--no-first-run",
    "--hide-scrollbars",
    "--proxy-server=127.0.0.1:9",  # nothing listens there: what is not in the file cannot be had
    "--remote-debugging-pipe",
)
PHONE, DESKTOP = (390, 844), (1280, 900)
WAIT_S = 60.0


class Page:
    """One tab. errors: what its console has complained of; requests: what it asked for, itself included."""

    def __init__(self, process: subprocess.Popen[bytes], commands: int, events: int) -> None:
        self._process = process
        self._commands, self._events = os.fdopen(commands, "wb"), os.fdopen(events, "rb")
        self._ids = itertools.count(1)
        self._rest = b""
        self._session: str | None = None
        self.errors: list[str] = []
        self.requests: list[str] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **params: Any) -> Any:
        """A command of the protocol, and what it returned. Raises RuntimeError if it was refused."""
        number = next(self._ids)
        message = {"id": number, "method": method, "params": params}
        message |= {"sessionId": self._session} if self._session else {}
        self._commands.write(json.dumps(message).encode() + b"\0")
        self._commands.flush()
        while True:
            event = self._read()
            if event.get("id") == number:
                if "error" in event:
                    raise RuntimeError(f"{method}: {event['error']}")
                return event["result"]
            self._note(event)

    def show(
        self, file: Path, size: tuple[int, int] = DESKTOP, *, dark: bool = False, ready: str = "true"
    ) -> float:
        """Load a file in a window of this size; returns the seconds until `ready` was true."""
        width, height = size
        is_phone = size == PHONE
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=is_phone,
        )
        self.call("Emulation.setTouchEmulationEnabled", enabled=is_phone)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        begun = time.perf_counter()
        self.call("Page.navigate", url=file.resolve().as_uri())
        self.wait(ready)
        return time.perf_counter() - begun

    def value(self, expression: str) -> Any:
        """What an expression of JavaScript gives, awaited. Raises RuntimeError if it throws."""
        found = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in found:
            raise RuntimeError(f"{expression}: {found['exceptionDetails']['exception'].get('description')}")
        return found["result"].get("value")

    def wait(self, expression: str) -> None:
        """Until the expression is true, at the page's own pace of drawing."""
        end = time.monotonic() + WAIT_S
        frame = "new Promise((done) => setTimeout(done, 20))"
        while not self.value(f"document.readyState === 'complete' && Boolean({expression})"):
            if time.monotonic() > end:
                raise TimeoutError(f"{expression} is not true after {WAIT_S:g} s; console: {self.errors}")
            self.value(frame)

    def mouse(self, *actions: tuple[str, float, float]) -> None:
        """mousePressed, mouseMoved, mouseReleased, each with its place in the window."""
        for action, x, y in actions:
            button = "none" if action == "mouseMoved" else "left"
            held = {"buttons": 1} if any(name == "mousePressed" for name, _, _ in actions) else {}
            self.call("Input.dispatchMouseEvent", type=action, x=x, y=y, button=button, clickCount=1, **held)

    def click(self, x: float, y: float) -> None:
        self.mouse(("mouseMoved", x, y))
        self.mouse(("mousePressed", x, y), ("mouseReleased", x, y))

    def picture(self, file: Path, *, whole: bool = False) -> None:
        """A PNG of the window, or of the whole page."""
        found = self.call("Page.captureScreenshot", captureBeyondViewport=whole)
        file.write_bytes(base64.b64decode(found["data"]))

    def close(self) -> None:
        self._session = None
        self.call("Browser.close")
        self._process.wait(timeout=WAIT_S)
        self._commands.close()
        self._events.close()

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            read = os.read(self._events.fileno(), 1 << 20)
            if not read:
                raise RuntimeError("Chromium has ended")
            self._rest += read
        message, _, self._rest = self._rest.partition(b"\0")
        found: dict[str, Any] = json.loads(message)
        return found

    def _note(self, event: dict[str, Any]) -> None:
        params = event.get("params", {})
        match event.get("method"):
            case "Runtime.exceptionThrown":
                details = params["exceptionDetails"]
                self.errors.append(details.get("exception", {}).get("description") or details["text"])
            case "Runtime.consoleAPICalled" if params["type"] in ("error", "assert"):
                self.errors.append(" ".join(str(item.get("value", item)) for item in params["args"]))
            case "Log.entryAdded" if params["entry"]["level"] == "error":
                self.errors.append(f"{params['entry']['text']} {params['entry'].get('url', '')}")
            case "Network.requestWillBeSent":
                self.requests.append(params["request"]["url"])


@contextmanager
def browsing(chromium: str, profile: Path) -> Iterator[Page]:
    """A tab of a browser with a new, empty profile; both are gone afterwards."""
    commands_in, commands = os.pipe()
    events, events_out = os.pipe()
    child = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 10) for fd in (commands_in, events_out)]

    def take_pipes() -> None:
        """The browser reads its commands from 3 and writes events to 4."""
        os.dup2(child[0], 3)
        os.dup2(child[1], 4)

    process = subprocess.Popen(
        [chromium, *FLAGS, f"--user-data-dir={profile}", "about:blank"],
        close_fds=False,
        preexec_fn=take_pipes,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    for fd in (commands_in, events_out, *child):
        os.close(fd)
    try:
        page = Page(process, commands, events)
        yield page
        page.close()
    finally:
        process.kill()
        process.wait()
