"""A real PostgreSQL server for tests: made in a folder of its own, stopped at the end."""

import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Server:
    """A running server.

    Attributes:
        address: Of its database, without password.
        password: Of its user.
        folder: Where its files lie.
        programs: Where PostgreSQL's programs lie.
        options: What it is started with.
    """

    address: str
    password: str
    folder: Path
    programs: Path
    options: str

    def new_schema(self) -> str:
        """Returns the address of a schema that nobody uses yet, password included."""
        address = self.address.replace("keeper@", f"keeper:{self.password}@")
        return f"{address}?schema=t{secrets.token_hex(6)}"

    def start(self) -> None:
        """Starts it."""
        self.run("-l", str(self.folder / "log"), "-o", self.options, "start")

    def run(self, *arguments: str) -> None:
        """Runs `pg_ctl` on it."""
        as_server([str(self.programs / "pg_ctl"), "-D", str(self.folder / "data"), "-w", *arguments])


def programs() -> Path | None:
    """Returns the folder of PostgreSQL's programs; None where it is not installed."""
    found = shutil.which("pg_ctl")
    beside = [Path(found).resolve().parent] if found else []
    folders = [*beside, *sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)]
    return next((folder for folder in folders if (folder / "initdb").exists()), None)


def as_server(command: list[str]) -> None:
    """Runs a command as a user that PostgreSQL accepts: it refuses root."""
    user = _user()
    options = {} if user is None else {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []}
    subprocess.run(command, check=True, capture_output=True, timeout=600, cwd="/", **options)  # type: ignore[call-overload]


def _user() -> str | None:
    if os.getuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in known else "nobody"


@contextmanager
def running(folder_of_programs: Path) -> Iterator[Server]:
    """Makes a server with a password and one database, on a free port of this machine."""
    # Below pytest's own folder another user may not look.
    folder = Path(tempfile.mkdtemp(prefix="dobae-postgres-"))
    password = secrets.token_hex(12)
    try:
        (folder / "password").write_text(password)
        user = _user()
        if user:
            for path in (folder / "password", folder):
                shutil.chown(path, user)
        make = [str(folder_of_programs / "initdb"), "-D", str(folder / "data"), "-U", "keeper", "--no-sync"]
        as_server([*make, "-E", "UTF8", "--locale=C", "-A", "scram-sha-256", "--pwfile", str(folder / "password")])
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off -c shared_buffers=16MB"
        address = f"postgresql://keeper@127.0.0.1:{port}/postgres"
        server = Server(address, password, folder, folder_of_programs, options)
        server.start()
        try:
            yield server
        finally:
            server.run("-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
