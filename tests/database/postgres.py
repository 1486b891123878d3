"""A PostgreSQL server of the tests' own: on loopback, in a temporary folder, gone when they end."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

PATIENCE = 30.0  # seconds for the server to answer, or to end


@dataclass(frozen=True)
class Server:
    """A server that runs. Each test gets a schema of its own, which is like a database of its own but made at once."""

    port: int

    def url(self, schema: str) -> str:
        options = f"?options=-csearch_path%3D{schema}" if schema else ""
        return f"postgresql+psycopg://postgres:secret@127.0.0.1:{self.port}/postgres{options}"

    def run(self, statement: str) -> None:
        with psycopg.connect(
            host="127.0.0.1", port=self.port, user="postgres", dbname="postgres", autocommit=True
        ) as connection:
            connection.execute(statement)  # type: ignore[call-overload]


def programs() -> Path | None:
    """The folder of PostgreSQL's programs: the newest of Debian's, else where the PATH has them."""
    newest = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    found = newest[-1] if newest else Path(shutil.which("initdb") or "")
    return found.parent if (found.parent / "postgres").is_file() else None


@contextmanager
def serving(programs: Path) -> Iterator[Server]:
    """A new server, until the end of the block. Root may not run one, and becomes the user postgres for it."""
    user = "postgres" if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="sightlab-postgres-"))
    try:
        if user:
            os.chown(folder, pwd.getpwnam(user).pw_uid, pwd.getpwnam(user).pw_gid)
        as_user = {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []} if user else {}
        data = folder / "data"
        # The order of English, so that whatever must not depend on the server's language would be seen to.
        words = ["-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8"]
        words += ["--locale-provider=icu", "--icu-locale=en", "--no-sync"]
        subprocess.run(
            [programs / "initdb", "-D", data, *words],
            check=True, capture_output=True, timeout=120, cwd=folder, **as_user,  # type: ignore[call-overload]
        )  # fmt: skip
        port = free_port()
        settings = ["fsync=off", "synchronous_commit=off", "full_page_writes=off", "shared_buffers=16MB"]
        command = [programs / "postgres", "-D", data, "-h", "127.0.0.1", "-p", str(port), "-k", folder]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [*command, *(word for setting in settings for word in ("-c", setting))],
                stdout=log, stderr=log, cwd=folder, **as_user,  # type: ignore[call-overload]
            )  # fmt: skip
        try:
            server = Server(port)
            wait_for(server, process, folder / "log")
            yield server
        finally:
            process.send_signal(signal.SIGINT)  # what PostgreSQL calls a fast shutdown
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def wait_for(server: Server, process: "subprocess.Popen[bytes]", log: Path) -> None:
    until = time.monotonic() + PATIENCE
    while True:
        try:
            return server.run("SELECT 1")
        except psycopg.OperationalError:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < until, log.read_text()
            time.sleep(0.05)


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
