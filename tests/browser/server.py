"""A running `dobae ui`, as a person would start it."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

ROOT = Path(__file__).resolve().parent.parent.parent
START_SECONDS = 120
SECRET = "도배 풀은 되직하게"
"""The passphrase of the keeper."""


class Server:
    """Serves the base `folder/kb`; stops at the end, and fails if a page broke inside meanwhile."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.folder = folder
        self._environment = environment
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]

    def url(self, path: str = "") -> str:
        return f"http://127.0.0.1:{self._port}/{path}"

    @property
    def log(self) -> str:
        return (self.folder / "server.log").read_text("utf-8")

    def __enter__(self) -> Self:
        self.start()
        return self

    def start(self) -> None:
        """Starts it, or starts it again at the same address."""
        command = [sys.executable, "-m", "ui.cli.main", "ui", "--headless", "--port", str(self._port)]
        environment = {
            **os.environ,
            "OMP_WAIT_POLICY": "passive",
            "HF_HUB_OFFLINE": "1",
            "DOBAE_FEEDBACK": str(self.folder / "feedback.sqlite"),
            "DOBAE_RUNS": str(self.folder / "runs"),
            "DOBAE_PASSPHRASE_FILE": str(self.folder / "passphrase.json"),
            **self._environment,
        }
        with (self.folder / "server.log").open("a") as log:
            self._process = subprocess.Popen(
                [*command, "--kb", str(self.folder / "kb")], cwd=ROOT, env=environment, stdout=log, stderr=log
            )
        end = time.monotonic() + START_SECONDS
        while not self._healthy():
            if self._process.poll() is not None or time.monotonic() > end:
                self._stop()
                raise RuntimeError(f"the page did not start: {self.log[-2000:]}")
            time.sleep(0.2)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()
        assert "Traceback" not in self.log, self.log[-4000:]

    def kill(self) -> None:
        """Ends the server as a power cut would."""
        self._process.kill()
        self._process.wait()

    def _healthy(self) -> bool:
        try:
            return httpx.get(self.url("_stcore/health"), timeout=2, trust_env=False).status_code == 200
        except httpx.HTTPError:
            return False

    def _stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
