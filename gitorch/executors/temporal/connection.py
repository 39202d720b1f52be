"""The connection to a Temporal cluster, for code that is not asynchronous."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import threading
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, TypeVar

import msgspec
from temporalio.api.common.v1 import Payload
from temporalio.client import Client, RPCError, RPCStatusCode
from temporalio.converter import (
    CompositePayloadConverter,
    DataConverter,
    DefaultPayloadConverter,
    EncodingPayloadConverter,
)
from temporalio.envconfig import ClientConfig
from temporalio.runtime import LoggingConfig, Runtime, TelemetryConfig, TelemetryFilter
from temporalio.service import TLSConfig

from gitorch import typed
from gitorch.errors import SetupNeeded

T = TypeVar("T")

ANSWER = timedelta(seconds=5)
"""How long a worker may take for an answer."""

_PATIENCE_SECONDS = 120.0
_PAUSE_SECONDS = 0.5
_AWAY = (
    *(RPCStatusCode.UNAVAILABLE, RPCStatusCode.DEADLINE_EXCEEDED, RPCStatusCode.RESOURCE_EXHAUSTED),
    # a server that is killed while it answers, and an answer that takes too long, look like these
    *(RPCStatusCode.CANCELLED, RPCStatusCode.ABORTED, RPCStatusCode.INTERNAL, RPCStatusCode.UNKNOWN),
)


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """Where a cluster is, and how to log in there; the key and the certificates are never shown."""

    address: str
    namespace: str = "default"
    tls: bool = False
    api_key: str = ""
    ca: bytes = b""
    certificate: bytes = b""
    private_key: bytes = b""

    def __repr__(self) -> str:
        return f"Target({self.address!r}, {self.namespace!r})"


def target_of_environment() -> Target:
    """Return the cluster that Temporal's own environment variables and profile name."""
    profile = ClientConfig.load_client_connect_config()
    tls = profile.get("tls")
    certificates = tls if isinstance(tls, TLSConfig) else TLSConfig()
    return Target(
        address=profile.get("target_host") or "",
        namespace=profile.get("namespace") or "default",
        tls=bool(tls),
        api_key=profile.get("api_key") or "",
        ca=certificates.server_root_ca_cert or b"",
        certificate=certificates.client_cert or b"",
        private_key=certificates.client_private_key or b"",
    )


class _Structs(EncodingPayloadConverter):
    """Structs as JSON."""

    @property
    def encoding(self) -> str:
        return "json/struct"

    def to_payload(self, value: Any) -> Payload | None:
        if not isinstance(value, msgspec.Struct):
            return None
        return Payload(metadata={"encoding": self.encoding.encode()}, data=msgspec.json.encode(value))

    def from_payload(self, payload: Payload, type_hint: type | None = None) -> Any:
        return typed.from_json(payload.data, Any if type_hint is None else type_hint)


class _Converter(CompositePayloadConverter):
    def __init__(self) -> None:
        super().__init__(_Structs(), *DefaultPayloadConverter.default_encoding_payload_converters)


CONVERTER = DataConverter(payload_converter_class=_Converter)


class _SlowSteps(logging.Filter):
    """Says that a step of a workflow took too long in one line, without a traceback: the server repeats it."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if _SLOW in str(error):
            record.msg, record.args = "this machine is too busy: a step of an execution is repeated", ()
            record.exc_info = None
        return True


_SLOW = "[TMPRL1101]"
"""How the SDK marks such an error, which it takes for a fault of the code."""

_SLOW_STEPS = _SlowSteps()


def runtime() -> Runtime:
    """Return a runtime that reports errors only, and nothing to anybody else."""
    logging.getLogger("temporalio.worker._workflow").addFilter(_SLOW_STEPS)
    quiet = LoggingConfig(filter=TelemetryFilter(core_level="ERROR", other_level="ERROR"))
    return Runtime(telemetry=TelemetryConfig(logging=quiet), worker_heartbeat_interval=None)


async def connect(target: Target, sdk: Runtime, *, lazy: bool = False) -> Client:
    """Connect to a cluster. Raises `SetupNeeded` when it does not answer."""
    tls: bool | TLSConfig = target.tls
    if target.ca or target.certificate:
        tls = TLSConfig(
            server_root_ca_cert=target.ca or None,
            client_cert=target.certificate or None,
            client_private_key=target.private_key or None,
        )
    try:
        return await Client.connect(
            target.address,
            namespace=target.namespace,
            tls=tls,
            api_key=target.api_key or None,
            data_converter=CONVERTER,
            identity=f"{os.getpid()}@{os.uname().nodename}",
            lazy=lazy,
            runtime=sdk,
        )
    except (RuntimeError, ValueError) as error:
        raise unreachable(target, error) from error


def unreachable(target: Target, error: Exception) -> SetupNeeded:
    """Return the error for a cluster that does not answer."""
    lines = str(error).splitlines() or [type(error).__name__]
    return SetupNeeded(
        "remote-unreachable",
        f"the Temporal server at {target.address} does not answer",
        why=lines[0][:300],
        fix=("orchestrate serve", "check [remote] address"),
    )


def is_away(error: RPCError) -> bool:
    """Return whether a call failed because the server is not there now, and may be again."""
    return error.status in _AWAY


class Connection:
    """Runs asynchronous calls on a thread of its own. A forked process gets a connection of its own."""

    def __init__(self, target: Target, *, patience: float = _PATIENCE_SECONDS) -> None:
        self.target = target
        self._patience = patience
        self._lock = threading.Lock()
        self._owner = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._client: Client | None = None

    def call(self, make: Callable[[Client], Awaitable[T]], *, patience: float | None = None) -> T:
        """Return the result of a call; while the server is away, try again for `patience` seconds.

        Raises `SetupNeeded` when the server stays away, and `RPCError` for what it refuses.
        """
        end = time.monotonic() + (self._patience if patience is None else patience)
        while True:
            client, loop = self._connected()
            try:
                return asyncio.run_coroutine_threadsafe(_awaited(make(client)), loop).result()
            except (RPCError, RuntimeError) as error:  # RuntimeError: it was never reached yet
                if isinstance(error, RPCError) and not is_away(error):
                    raise
                if time.monotonic() >= end:
                    raise unreachable(self.target, error) from error
            threading.Event().wait(_PAUSE_SECONDS)

    def begin(self, make: Callable[[Client], Awaitable[None]]) -> None:
        """Begin a call, and do not wait for it; it is lost when it fails, or when this process ends before it."""
        client, loop = self._connected()

        async def run() -> None:
            with contextlib.suppress(RPCError, RuntimeError):
                await make(client)

        asyncio.run_coroutine_threadsafe(run(), loop)

    def keep_running(self, make: Callable[[Client], Awaitable[None]]) -> None:
        """Run something in the background until this process ends, again whenever it fails."""

        async def run() -> None:
            while True:
                with contextlib.suppress(RPCError, RuntimeError, SetupNeeded):  # the server is away
                    await make(await connect(self.target, runtime()))
                await asyncio.sleep(_PAUSE_SECONDS)

        asyncio.run_coroutine_threadsafe(run(), self._connected()[1])

    def _connected(self) -> tuple[Client, asyncio.AbstractEventLoop]:
        if self._owner != os.getpid():  # the threads of a parent are not in its child, nor is its lock ever released
            self._lock = threading.Lock()
            self._client = self._loop = None
            self._owner = os.getpid()
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                threading.Thread(target=self._loop.run_forever, name="temporal", daemon=True).start()
            if self._client is None:
                making = connect(self.target, runtime(), lazy=True)
                self._client = asyncio.run_coroutine_threadsafe(making, self._loop).result()
            return self._client, self._loop


async def _awaited(call: Awaitable[T]) -> T:
    return await call
