"""What travels to a worker: everything that a program needs, and no secret."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest

from gitorch import typed
from gitorch.config import RemoteSettings
from gitorch.errors import InvalidInput, SetupNeeded
from gitorch.executors.protocol import Errand, ResourceLimits, Spec
from gitorch.executors.temporal.connection import Target
from gitorch.executors.temporal.messages import Order, Result, Route, order_of, spec_of
from gitorch.model.outcome import Exit
from gitorch.services.remote import target_of
from gitorch.services.workers.worker import remove_old

SECRET = "sk-not-to-be-seen"
ERRAND = Errand(
    task="t",
    attempt=1,
    agent="sh",
    branch="orch/t",
    base="1" * 40,
    start="2" * 40,
    conflict="",
    settings=b"{}",
    directory="/home/w",
    state="/home/s",
    python="/usr/bin/python",
)
SPEC = Spec(
    key="attempts/t/1/agent-1",
    argv=("agent", "\udcff odd", "--x"),
    env={"PATH": "/bin", "API_KEY": SECRET, "ODD": "\udcfe\n"},
    cwd=Path("/home/w"),
    stdin=b"\xff brief",
    files={"a.json": b"\x00"},
    timeout=3.0,
    idle=2.0,
    grace=1.0,
    max_output=99_999,
    secrets={"API_KEY": SECRET, "OTHER_TOKEN": "also-secret"},
    resources=ResourceLimits(memory=1),
    errand=ERRAND,
)


def sent(spec: Spec) -> tuple[bytes, Order]:
    """Return an order as it travels, and as it arrives."""
    route = Route(origin="/home/repo", epoch=2, lease="3" * 40)
    content = msgspec.json.encode(order_of(spec, "ab12", route=route))
    return content, typed.from_json(content, Order)


def test_everything_arrives_but_the_secrets() -> None:
    """Bytes that are no text arrive too; secrets come from the worker's own environment, under the same names."""
    content, order = sent(SPEC)
    assert SECRET.encode() not in content
    assert b"also-secret" not in content
    theirs = {"API_KEY": "of-the-worker", "UNRELATED": "x"}
    arrived = spec_of(order, theirs)
    assert arrived.env == {"PATH": "/bin", "ODD": "\udcfe\n", "API_KEY": "of-the-worker"}
    assert arrived.secrets == {"API_KEY": "of-the-worker"}
    same = msgspec.structs.replace(SPEC, env=arrived.env, secrets=arrived.secrets)
    assert arrived == same
    assert order.route == Route(origin="/home/repo", epoch=2, lease="3" * 40)


def test_a_secret_under_another_name_stays_at_home_too() -> None:
    """A variable with a value that is secret is left out, whatever its name."""
    content, order = sent(msgspec.structs.replace(SPEC, env={"COPY": SECRET}))
    assert SECRET.encode() not in content
    assert spec_of(order, {}).env == {}


def test_a_result_survives_its_way() -> None:
    """Output is bytes."""
    result = Result(exit=Exit(cause="exited", exit_code=0), host="h", output={"stdout": b"\xff", "stderr": b""})
    assert typed.from_json(msgspec.json.encode(result), Result) == result


def test_a_target_does_not_show_its_key(tmp_path: Path) -> None:
    """The key is read from the variable that the settings name, certificates from files."""
    (tmp_path / "ca.pem").write_bytes(b"certificate")
    settings = RemoteSettings(address="h:1", api_key={"env": "KEY"}, ca=str(tmp_path / "ca.pem"), tls=True)
    target = target_of(settings, {"KEY": SECRET})
    assert (target.api_key, target.ca, target.tls) == (SECRET, b"certificate", True)
    assert SECRET not in repr(target) + str(target)
    with pytest.raises(SetupNeeded, match="KEY is not set"):
        target_of(settings, {})
    with pytest.raises(InvalidInput, match="cannot read"):
        target_of(RemoteSettings(address="h:1", private_key=str(tmp_path / "gone")), {})


def test_a_worker_removes_what_nobody_asked_for(tmp_path: Path) -> None:
    """Rooms of lost attempts stay for two weeks; mirrors stay, and the trash goes at once."""
    for name in ("rooms/old", "rooms/new", "executions/old", "mirrors/old", "trash/new"):
        (tmp_path / name).mkdir(parents=True)
    now = (tmp_path / "rooms/old").stat().st_mtime + 15 * 86_400
    for name in ("rooms/new", "trash/new"):
        os.utime(tmp_path / name, (now, now))
    remove_old(tmp_path, now)
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.glob("*/*")) == ["mirrors/old", "rooms/new"]


def test_temporals_own_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """`address = "env"` takes all from them; without them, that is an error."""
    monkeypatch.setenv("TEMPORAL_ADDRESS", "cluster:7233")
    monkeypatch.setenv("TEMPORAL_NAMESPACE", "night")
    monkeypatch.setenv("TEMPORAL_API_KEY", SECRET)
    target = target_of(RemoteSettings(address="env"), {})
    assert (target.address, target.namespace, target.api_key) == ("cluster:7233", "night", SECRET)
    assert target != Target(address="cluster:7233", namespace="night")
    monkeypatch.delenv("TEMPORAL_ADDRESS")
    with pytest.raises(SetupNeeded, match="no Temporal server"):
        target_of(RemoteSettings(address="env"), {})
