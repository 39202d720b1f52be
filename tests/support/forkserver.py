"""Run the command line in real processes that skip the interpreter's start.

A server process imports gitorch once. Each command is a fork of it: a process of its own, with its own working
directory, environment, streams, signal handlers, threads and caches, that ends as `python -m gitorch` would. Importing
costs 0.1 to 0.3 s per command; a fork costs a few milliseconds. A second server does the same for the process of the
api agent, whose SDK takes 2 to 3 s to import.

What depends on how an interpreter starts (imports, encodings, PATH, terminals) must use `subprocess` instead.
"""

from __future__ import annotations

import atexit
import codecs
import contextlib
import functools
import gc
import importlib
import json
import os
import pkgutil
import select
import shlex
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import msgspec

from tests.support import fork_client

ROOT = Path(__file__).resolve().parents[2]
_INTERPRETER = sys.executable
_MESSAGE = struct.Struct("ci")
_STARTED, _ENDED = b"s", b"e"
_COMMAND, _REMOTE, _BARE, _API = "gitorch", "remote", "bare", "gitorch.agents.api.process"
_ACP, _ACP_AGENT = "gitorch.agents.acp.process", "tests.support.acp_agent"
"""What a server runs, as `python -m` names it.

`bare` is the command line with nothing of gitorch imported, `remote` with the SDK of Temporal as well.
"""
PYTHON = "GITORCH_TEST_PYTHON"
"""A variable of a command: what it takes for its interpreter, as `ForkServer.install_python` writes it."""
HOOK = "GITORCH_TEST_HOOK"
"""In a command's environment: `module:function`, which is called in its process before the command starts."""

_LIBRARIES = "click msgspec tomli subprocess concurrent.futures shutil tempfile hashlib inspect traceback uuid"
"""What nearly every command imports, and has no modules that one could do without by chance."""

_NOT_IMPORTED = ("gitorch.__main__", "gitorch.agents.api.", "gitorch.agents.acp.")
"""Modules that the command line itself does not load."""

_SELDOM_IMPORTED = ("gitorch.cli.commands.mcp_tools", "gitorch.cli.commands.watch_app")
"""Modules with large libraries that few commands load: a fork costs by the memory of its parent."""

_OF_TEMPORAL = (
    "gitorch.executors.temporal.",
    "gitorch.services.workers.worker",
    "gitorch.services.doctor.setup_remote",
    "gitorch.cli.commands.worker",
)
"""Modules that load the SDK of Temporal."""


class ForkedProcess:
    """A command that a fork server started. Behaves like the part of `subprocess.Popen` that the tests use."""

    def __init__(self, words: Sequence[str], connection: socket.socket) -> None:
        self.args = words
        self.returncode: int | None = None
        self._connection = connection
        self.pid = self._receive(_STARTED, None)

    def poll(self) -> int | None:
        """Return the exit code, or None while the process runs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end and return the exit code: -N after signal N, as `subprocess` does."""
        if self.returncode is None:
            self.returncode = os.waitstatus_to_exitcode(self._receive(_ENDED, timeout))
            self._connection.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal, unless the process has ended."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        """Send SIGKILL, unless the process has ended."""
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        """Send SIGTERM, unless the process has ended."""
        self.send_signal(signal.SIGTERM)

    def _receive(self, kind: bytes, timeout: float | None) -> int:
        readable, _, _ = select.select([self._connection], [], [], timeout)
        if not readable:
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        data = self._connection.recv(_MESSAGE.size)
        if len(data) != _MESSAGE.size:
            raise RuntimeError(f"the fork server ended before {self.args}")
        received, number = _MESSAGE.unpack(data)
        assert received == kind, f"{self.args} did not start"
        return int(number)


class ForkServer:
    """The test's end of a server process."""

    def __init__(self, program: str) -> None:
        self.program = program
        self._control, theirs = socket.socketpair()
        self._folder = tempfile.TemporaryDirectory(prefix="forks-")
        self._address = f"{self._folder.name}/socket"
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(self._address)
        listener.listen()
        ends = (theirs.fileno(), listener.fileno())
        variables = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
        command = [_INTERPRETER, "-m", "tests.support.forkserver", program, *map(str, ends)]
        # pipes: nothing that these streams cache about a file may pass on to a command's streams
        self._process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**variables, **_passed_on(), "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=ends,
        )
        theirs.close()
        listener.close()

    def install(self, folder: Path) -> None:
        """Write an `orchestrate` into a folder that runs as a fork of this server."""
        _write_program(folder / "orchestrate", f'exec {shlex.join(self.client)} "$@"')

    @property
    def client(self) -> list[str]:
        """The words of a program that runs as a fork of this server; its arguments come after them."""
        return [_INTERPRETER, "-I", "-S", fork_client.__file__, self._address]

    def install_python(self, folder: Path) -> Path:
        """Write a `python` whose `-P -m MODULE`, with this server's module, runs as a fork; return its path."""
        client, interpreter = shlex.join(self.client), shlex.quote(_INTERPRETER)
        words = f'[ "$1 $2 $3" = "-P -m {self.program}" ] && shift 3 && exec {client} "$@"'
        return _write_program(folder / "python", f'{words}\nexec {interpreter} "$@"')

    def start(
        self,
        words: Sequence[str],
        *,
        cwd: Path,
        env: Mapping[str, str],
        stdin: int,
        stdout: int,
        stderr: int,
        start_new_session: bool = False,
    ) -> ForkedProcess:
        """Start `orchestrate` with these words; the last three arguments are file descriptors."""
        mine, theirs = socket.socketpair()
        with theirs:
            socket.send_fds(self._control, [b"."], [theirs.fileno(), stdin, stdout, stderr])
        request = {"words": list(words), "cwd": str(cwd), "env": dict(env), "session": start_new_session}
        mine.sendall(json.dumps(request).encode())
        mine.shutdown(socket.SHUT_WR)
        return ForkedProcess(words, mine)

    def run(
        self, words: Sequence[str], *, cwd: Path, env: Mapping[str, str], input: bytes, timeout: float
    ) -> subprocess.CompletedProcess[bytes]:
        """Run one command to its end, as `subprocess.run(..., capture_output=True)` does."""
        pipes = [os.pipe() for _ in range(3)]
        (stdin, feed), (out, stdout), (err, stderr) = pipes
        process = self.start(words, cwd=cwd, env=env, stdin=stdin, stdout=stdout, stderr=stderr)
        for end in (stdin, stdout, stderr):
            os.close(end)
        try:
            outputs = _communicate(feed, input, (out, err), time.monotonic() + timeout)
            return subprocess.CompletedProcess(words, process.wait(timeout), *outputs)
        except TimeoutError:
            process.kill()
            raise subprocess.TimeoutExpired(words, timeout) from None


def _communicate(feed: int, input: bytes, sources: Sequence[int], deadline: float) -> list[bytes]:
    """Write `input` and read each source to its end; close all of them."""
    texts = {source: bytearray() for source in sources}
    readers, writers = set(sources), {feed}
    os.set_blocking(feed, False)
    try:
        while readers or writers:
            if writers and not input:
                os.close(feed)
                writers.clear()
            readable, writable, _ = select.select(readers, writers, [], max(0.0, deadline - time.monotonic()))
            if not readable and not writable and (readers or writers):
                raise TimeoutError
            for source in readable:
                text = os.read(source, 65_536)
                texts[source] += text
                if not text:
                    os.close(source)
                    readers.discard(source)
            if writable:
                try:
                    input = input[os.write(feed, input) :]
                except BrokenPipeError:
                    input = b""
    finally:
        for descriptor in readers | writers:
            os.close(descriptor)
    return [bytes(texts[source]) for source in sources]


def _write_program(path: Path, script: str) -> Path:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def server() -> ForkServer:
    """Return this process's fork server, started at the first call."""
    return _server_of(_COMMAND, os.getpid())


def remote_server() -> ForkServer:
    """Return a server whose commands have the SDK of Temporal, which takes a second to import."""
    return _server_of(_REMOTE, os.getpid())


def bare_server() -> ForkServer:
    """Return a server whose commands import all of gitorch that they use, as a fresh interpreter does."""
    return _server_of(_BARE, os.getpid())


def api_server() -> ForkServer:
    """Return this process's fork server for the process of the api agent, started at the first call."""
    return _server_of(_API, os.getpid())


def acp_server() -> ForkServer:
    """Return this process's fork server for the client process of ACP agents, started at the first call."""
    return _server_of(_ACP, os.getpid())


def acp_agent(*options: str) -> list[str]:
    """Return the command of the tests' ACP agent, which runs as a fork."""
    return [*_server_of(_ACP_AGENT, os.getpid()).client, *options]


@functools.cache
def _server_of(program: str, _pid: int) -> ForkServer:
    # a fork of the test process must not share its connection
    return ForkServer(program)


def _passed_on() -> dict[str, str]:
    """Return what a process needs when it starts, for coverage or for a clock of its own."""
    prefixes = ("COVERAGE_", "LD_PRELOAD", "JUMPING_CLOCK")
    return {name: value for name, value in os.environ.items() if name.startswith(prefixes)}


def serve(main: Callable[[], int | None], control: socket.socket, listener: socket.socket) -> None:
    """Fork a process per request that calls `main`, and report how each ended, until the test closes its end.

    A request comes from the test over `control`, or from a client program that connects to `listener`. The process of a
    client that was killed is killed too.
    """
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for pytest
    connections: dict[int, socket.socket] = {}
    clients: dict[int, int] = {}
    poll = select.poll()
    for descriptor in (control.fileno(), listener.fileno(), reader):
        poll.register(descriptor, select.POLLIN)
    while True:
        ready = {descriptor for descriptor, _ in poll.poll()}
        for descriptor in clients.keys() & ready:
            poll.unregister(descriptor)
            with contextlib.suppress(ProcessLookupError):
                os.kill(clients.pop(descriptor), signal.SIGKILL)
        if reader in ready:
            os.read(reader, 4096)
            for ended in _report(connections):
                if clients.pop(ended, None):
                    poll.unregister(ended)
        if listener.fileno() in ready:
            client, _ = listener.accept()
            _, streams, _, _ = socket.recv_fds(client, 1, 3)
            if not streams:
                client.close()  # it was killed before it said anything
                continue
            pid = _fork(main, client, streams)
            connections[pid], clients[client.fileno()] = client, pid
            poll.register(client, 0)  # it has said all that it says: only a hang-up is of interest
        if control.fileno() in ready:
            message, descriptors, _, _ = socket.recv_fds(control, 1, 4)
            if not message:
                return
            connection = socket.socket(fileno=descriptors[0])
            connections[_fork(main, connection, descriptors[1:])] = connection


def _fork(main: Callable[[], int | None], connection: socket.socket, streams: Sequence[int]) -> int:
    """Return the process that does what comes over the connection."""
    pid = os.fork()
    if not pid:
        _run_command(main, connection, streams)
    for descriptor in streams:
        os.close(descriptor)
    return pid


def _report(connections: dict[int, socket.socket]) -> Iterator[int]:
    """Tell the clients of processes that have ended how they ended; yield their connections' descriptors."""
    while connections:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if not pid:
            return
        with connections.pop(pid) as connection, contextlib.suppress(BrokenPipeError):
            yield connection.fileno()
            connection.sendall(_MESSAGE.pack(_ENDED, status))


def _run_command(main: Callable[[], int | None], connection: socket.socket, streams: Sequence[int]) -> NoReturn:
    """Do in a fork of the server what `python -m` does with the module of `main`, and exit."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for descriptor, stream in enumerate(streams):
        os.dup2(stream, descriptor)
    with connection:
        with connection.makefile("rb") as file:
            request: dict[str, Any] = json.load(file)
        if request["session"]:
            os.setsid()
        connection.sendall(_MESSAGE.pack(_STARTED, os.getpid()))
    os.closerange(3, 65_536)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    sys.executable = os.environ.pop(PYTHON, sys.executable)
    time.tzset()
    if hook := os.environ.pop(HOOK, ""):
        module, _, function = hook.partition(":")
        getattr(importlib.import_module(module), function)()
    sys.argv = [str(ROOT / "gitorch" / "__main__.py"), *request["words"]]
    code = 0
    try:
        sys.exit(main())
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        code = 1
    # what an interpreter does at its end, but for tearing down modules, which takes longer than the fork
    for thread in threading.enumerate():
        if thread is not threading.main_thread() and not thread.daemon:
            thread.join()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _import_command(left_out: tuple[str, ...] = _OF_TEMPORAL) -> Callable[[], int | None]:
    package = importlib.import_module("gitorch")
    for module in pkgutil.walk_packages(package.__path__, "gitorch."):
        if not module.name.startswith((*_NOT_IMPORTED, *_SELDOM_IMPORTED, *left_out)):
            importlib.import_module(module.name)
    for name in (
        "git",
        "rich.console",
        "rich.live",
        "psutil",
        "click.shell_completion",
        "pathspec.patterns.gitignore.spec",
    ):
        importlib.import_module(name)
    _learn_types(msgspec.Struct)
    _fill_caches()
    main: Callable[[], int | None] = importlib.import_module("gitorch.cli.main").main
    return main


def _learn_types(base: type) -> None:
    """Let msgspec learn the structs, as each command would when it first reads one: up to a fifth of its time."""
    kind: type
    for kind in base.__subclasses__():
        with contextlib.suppress(TypeError):  # only written, never read
            msgspec.json.Decoder(kind)
        _learn_types(kind)


def _fill_caches() -> None:
    """Read tables of the package and compile patterns that each command would read and compile: 10 ms of a run."""
    from rich.cells import cell_len

    from gitorch.agents import prices
    from gitorch.cli.views.reporting.lexers import lexer_class
    from gitorch.config import units
    from gitorch.flow.review.signals import rules
    from gitorch.model import roles
    from gitorch.model.credentials.redaction import redacted
    from gitorch.syntax.languages import language_of

    redacted("token=ghp_16C7e42F292c6912E7710c838347Ae178B4a\n")
    roles.built_in_roles()
    rules.table()
    prices.priced("claude-sonnet-5")
    language_of("a.py")
    lexer_class("a.py")
    units.seconds("1h30m")
    units.size("2GB")
    cell_len("\u2500")
    for encoding in ("ascii", "utf-8-sig"):
        codecs.lookup(encoding)


def _import_remote() -> Callable[[], int | None]:
    return _import_command(left_out=())


def _import_libraries() -> Callable[[], int | None]:
    for name in _LIBRARIES.split():
        importlib.import_module(name)
    return lambda: importlib.import_module("gitorch.cli.main").main()


def _import_api() -> Callable[[], int | None]:
    for name in ("gitorch.agents.api.client", "anthropic.resources.messages"):
        importlib.import_module(name)
    main: Callable[[], int | None] = importlib.import_module(_API).main
    return main


def _import_acp() -> Callable[[], int | None]:
    main: Callable[[], int | None] = importlib.import_module(_ACP).main
    return main


def _import_acp_agent() -> Callable[[], int | None]:
    agent = importlib.import_module(_ACP_AGENT)
    return lambda: agent.main(sys.argv[1:])


def _serve(program: str, *descriptors: str) -> None:
    start = {
        _COMMAND: _import_command,
        _REMOTE: _import_remote,
        _BARE: _import_libraries,
        _API: _import_api,
        _ACP: _import_acp,
        _ACP_AGENT: _import_acp_agent,
    }
    main = start[program]()
    gc.collect()
    gc.freeze()  # the pages stay shared with the forks
    serve(main, *(socket.socket(fileno=int(word)) for word in descriptors))


if __name__ == "__main__":
    _serve(*sys.argv[1:])
