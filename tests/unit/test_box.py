"""The arguments of bubblewrap, the rules for hosts, and the proxy's decisions: no process is started."""

from __future__ import annotations

import ipaddress
import os
import socket
import sys
import threading
from pathlib import Path
from typing import Literal

import pytest

from gitorch.config import AgentSettings
from gitorch.errors import InvalidInput
from gitorch.model.outcome import ProbeResult
from gitorch.rooms.box_access import box_environment
from gitorch.rooms.environment_variables import check_environment
from gitorch.rooms.sandbox import host_programs, host_rules, logins, network_proxy, probing
from gitorch.rooms.sandbox.bubblewrap import Box, arguments


def words(box: Box) -> str:
    return " ".join(arguments(box))


BOX = Box(
    read=(("/usr", "/usr"),),
    write=(("/srv/tree", "/srv/tree"),),
    protect=(("/state/dotgit", "/srv/tree/.git"),),
    links=(("usr/bin", "/bin"),),
    folder="/srv/tree",
)


def test_a_box_has_nothing_by_default() -> None:
    """Namespaces, no capability, no network, no life after its parent, temporary folders of a limited size."""
    line = words(BOX)
    for option in (
        *("--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-net"),
        *("--die-with-parent", "--new-session", "--cap-drop ALL", "--size 1073741824 --tmpfs /tmp"),
        *("--remount-ro /", "--chdir /srv/tree"),
    ):
        assert option in line
    assert "--ro-bind / /" not in line
    assert "--share-net" not in line


def test_what_toolchains_need_of_etc_is_shown(tmp_path: Path) -> None:
    """Java and PHP of Debian do not start without theirs; files beside them that may hold passwords are not shown."""
    shown = ("java-25-openjdk/jvm.cfg", "maven/m2.conf", "php/8.4/cli/php.ini", "php/8.4/mods-available/mbstring.ini")
    hidden = ("maven/settings.xml", "php/8.4/fpm/pool.d/www.conf", "shadow", "ssl/private/key.pem")
    for name in (*shown, *hidden):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    read, _ = host_programs.system(shares_network=False, etc=tmp_path)
    visible = [Path(inside) for _, inside in read if Path(inside).is_relative_to(tmp_path)]
    for name in (*shown, *hidden):
        is_visible = any((tmp_path / name).is_relative_to(path) for path in visible)
        assert is_visible == (name in shown), name


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's programs may write the kernel's settings")
def test_settings_of_the_kernel_are_read_only_for_root() -> None:
    """bubblewrap leaves /proc/sys writable for root without a capability: the kernel runs what `core_pattern` names."""
    read, _ = host_programs.system(shares_network=False)
    assert ("/proc/sys", "/proc/sys") in read
    assert not [place for _, place in read if place.startswith("/proc/self") or place.startswith("/proc/1")]


def test_the_later_bind_wins() -> None:
    """The worktree is bound over temporary folders, what is protected over it, and the root is closed last."""
    line = words(BOX)
    order = ["--tmpfs /tmp", "--ro-bind /usr /usr", "--bind /srv/tree /srv/tree", "--ro-bind /state/dotgit"]
    places = [line.index(part) for part in (*order, "--remount-ro /")]
    assert places == sorted(places)


def test_an_open_network_is_the_hosts() -> None:
    """Only where it was asked for."""
    assert "--unshare-net" not in words(
        Box(read=(), write=(), folder="/", shares_network=True),
    )


def test_a_name_does_not_lead_to_an_address_of_this_machine(tmp_path: Path) -> None:
    """Not only loopback: services may listen on its other addresses alone. The number stands for a name here."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("this machine has no address but loopback")
        name = str(int(ipaddress.ip_address(probe.getsockname()[0])))
    with socket.create_server(("", 0)) as server:
        address = f"{name}:{server.getsockname()[1]}"
        client, other = socket.socketpair()
        with client, other:
            other.sendall(f"CONNECT {address} HTTP/1.1\r\n\r\n".encode())
            gate = network_proxy.Gate([address], str(tmp_path / "log"), "")
            # it would relay for ever what it allows
            threading.Thread(target=gate.answer, args=(client,), daemon=True).start()
            assert other.recv(99).startswith(b"HTTP/1.1 403 ")
    assert (tmp_path / "log").read_text().endswith(f" DENY {address}\n")


@pytest.mark.parametrize(
    ("rule", "host", "port", "allowed"),
    [
        ("api.example.org:443", "api.example.org", 443, True),
        ("api.example.org:443", "API.Example.org.", 443, True),
        ("api.example.org:443", "api.example.org", 80, False),
        ("api.example.org:443", "api.example.org.evil.com", 443, False),
        ("api.example.org:443", "evil-api.example.org", 443, False),
        ("*.example.org:443", "a.example.org", 443, True),
        ("*.example.org:443", "example.org", 443, False),
        ("*.example.org:443", "evilexample.org", 443, False),
        ("host:*", "host", 9, True),
        ("127.0.0.1:8080", "127.0.0.1", 8080, True),
        ("127.0.0.1:8080", "127.0.0.1", 22, False),
        ("[::1]:8080", "::1", 8080, True),
        ("api.example.org:443", "93.184.216.34", 443, False),
        ("api.example.org:443", "169.254.169.254", 443, False),
    ],
)
def test_a_rule_allows_its_host_and_port(rule: str, host: str, port: int, allowed: bool) -> None:
    """Neither another port, nor an address, nor a name that only ends or starts alike."""
    assert network_proxy.is_allowed([rule], host, port) is allowed


@pytest.mark.parametrize("text", ["host", "host:port", ":80", "a b:80", "host:99999", "ho\nst:80", "hôst:80", "u@h:80"])
def test_an_address_is_plain(text: str) -> None:
    """What is not a plain name and a port is not connected to."""
    with pytest.raises(ValueError, match=r"^.+$|\n"):
        network_proxy.split_address(text)


def test_programs_in_java_are_led_to_the_proxy(tmp_path: Path) -> None:
    """They do not read the variables of other programs; the user's own options stay, and the last one counts."""
    env = {"MAVEN_OPTS": "-Xmx1g -Dhttps.proxyHost=proxy.example.org", "HTTPS_PROXY": "http://proxy.example.org:80"}
    port = network_proxy.serve("", str(tmp_path / "log"), [], env).port
    ends = [f"-D{scheme}.proxy{end}" for scheme in ("http", "https") for end in ("Host=127.0.0.1", f"Port={port}")]
    options = [*ends, "-Daether.connector.http.useSystemProperties=true"]
    assert env["MAVEN_OPTS"].split() == ["-Xmx1g", "-Dhttps.proxyHost=proxy.example.org", *options]
    assert env["GRADLE_OPTS"].split() == env["JAVA_OPTS"].split() == options
    assert env["HTTPS_PROXY"] == f"http://127.0.0.1:{port}"


def test_hosts_of_an_agent() -> None:
    """Its kind's, the addresses that its configuration names, and the configured ones; not the user's proxy."""
    settings = AgentSettings(
        kind="claude", args=("--x", 'base_url="http://127.0.0.1:81/v1"'), env={"A": "https://gw.example"}
    )
    env = {**settings.env, "HTTPS_PROXY": "http://proxy.example:3128"}
    assert host_rules.rules(settings, ["docs.example.org", "[::1]:90"], env) == (
        "api.anthropic.com:443",
        "platform.claude.com:443",
        "gw.example:443",
        "127.0.0.1:81",
        "docs.example.org:443",
        "docs.example.org:80",
        "[::1]:90",
    )
    assert host_rules.loopback_ports(host_rules.rules(settings, ["[::1]:90"], env)) == (81, 90)


CLAUDE_SETTINGS = """{"env": {"ANTHROPIC_BASE_URL": "https://gw.example/claude", "DEBUG": 1}, "apiKeyHelper": "x"}"""
CODEX_CONFIG = """
openai_base_url = "https://openai.example"
[model_providers.own]
base_url = "http://127.0.0.1:81/v1"
[mcp_servers.docs]
url = "https://mcp.example"
"""
SERVICES: list[tuple[str, str, str, tuple[str, ...]]] = [
    ("claude", "settings.json", CLAUDE_SETTINGS, ("gw.example:443",)),
    ("claude", "settings.json", '{"env": ["https://gw.example"]}', ()),
    ("claude", "settings.json", "{", ()),
    ("codex", "config.toml", CODEX_CONFIG, ("openai.example:443", "127.0.0.1:81")),
    ("codex", "config.toml", 'model_providers = "https://gw.example"', ()),
    ("codex", "config.toml", "=", ()),
]


@pytest.mark.parametrize(("kind", "name", "content", "expected"), SERVICES)
def test_an_agent_reaches_the_model_service_of_its_own_settings(
    tmp_path: Path, kind: Literal["claude", "codex"], name: str, content: str, expected: tuple[str, ...]
) -> None:
    """What the user set up as the service is allowed; a tool server is not, and a broken file allows nothing."""
    (tmp_path / name).write_text(content)
    env = {"CLAUDE_CONFIG_DIR": str(tmp_path), "CODEX_HOME": str(tmp_path)}
    login = logins.prepare(kind, env, tmp_path / "home", tmp_path)
    allowed = host_rules.rules(AgentSettings(kind=kind), [], {}, login.services)
    assert allowed == (*host_rules.BY_KIND[kind], *expected)


@pytest.mark.parametrize("text", ["", "http://x.org", "x.org/path", "*", "x.org:", "a b", "x.org:http"])
def test_a_host_rule_is_checked(text: str) -> None:
    """A rule that would never match is an error, not a rule."""
    with pytest.raises(InvalidInput):
        host_rules.check(text)


def test_a_box_has_its_own_home() -> None:
    """Variables that lead into the user's HOME are left out."""
    env = {"HOME": "/home/una", "XDG_CONFIG_HOME": "/home/una/.config", "CODEX_HOME": "/x", "TMPDIR": "/y", "A": "b"}
    assert box_environment(env, Path("/box")) == {
        "HOME": "/box",
        "A": "b",
        "SHELL": "/bin/sh",
        "HUSKY": "0",
        "GRADLE_USER_HOME": "/box/.gradle",
        "MAVEN_OPTS": "-Dmaven.repo.local=/box/.m2/repository",
    }


def test_java_tools_write_into_the_home_of_a_box() -> None:
    """Their own options stay; folders of the user's HOME do not, as Java finds that without the variable."""
    env = {"HOME": "/home/una", "GRADLE_USER_HOME": "/home/una/.gradle", "MAVEN_OPTS": "-Xmx1g"}
    boxed = box_environment(env, Path("/box"))
    assert boxed["GRADLE_USER_HOME"] == "/box/.gradle"
    assert boxed["MAVEN_OPTS"] == "-Xmx1g -Dmaven.repo.local=/box/.m2/repository"


def test_tools_of_a_command(tmp_path: Path) -> None:
    """A command's own paths and the folders of PATH are shown; HOME and what holds the repository are not."""
    home, repository = tmp_path / "home", tmp_path / "repo"
    tools = home / "tools" / "bin"
    for folder in (tools, repository / ".git", home / "x"):
        folder.mkdir(parents=True)
    script = home / "x" / "agent.py"
    script.touch()
    env = {"HOME": str(home), "PATH": f"{tools}:{home}:{tmp_path}:/usr/bin:relative"}
    shown = host_programs.tools([str(script), f"--out={tmp_path}"], env, mounted=[], hidden=[repository])
    assert script in shown
    assert tools in shown
    assert not {home, tmp_path, repository, Path("/usr/bin"), Path("relative")} & set(shown)


def test_an_installation_is_shown_whole(tmp_path: Path) -> None:
    """A virtual environment that a command starts in comes with its libraries."""
    environment = tmp_path / "repo" / ".venv"
    (environment / "bin").mkdir(parents=True)
    (environment / "pyvenv.cfg").write_text("home = /usr/bin\n")
    program = environment / "bin" / "tool"
    program.touch()
    assert environment in host_programs.tools(
        [str(program)], {"PATH": ""}, mounted=[], hidden=[tmp_path / "repo" / ".git"]
    )


def test_a_codex_login_has_no_refresh_token(tmp_path: Path) -> None:
    """The box's copy cannot spend the user's refresh token; what the box's agent made of it is replaced."""
    source, target = tmp_path / "codex", tmp_path / "home"
    source.mkdir()
    (source / "auth.json").write_text('{"tokens":{"access_token":"a","refresh_token":"r"}}')
    (source / "config.toml").write_text("")
    login = logins.prepare("codex", {"CODEX_HOME": str(source)}, target, tmp_path)
    assert (tmp_path / "auth.json").read_text() == '{"tokens":{"access_token":"a","refresh_token":""}}'
    assert login.read == ((str(source / "config.toml"), str(target / ".codex" / "config.toml")),)
    assert login.write == ((str(tmp_path / "auth.json"), str(target / ".codex" / "auth.json")),)


@pytest.mark.parametrize("kind", ["claude", "codex"])
def test_links_of_an_earlier_agent_are_not_followed(tmp_path: Path, kind: str) -> None:
    """A HOME in which `.codex` leads to the user's own would have the user's login replaced, or a file made there."""
    user, home = tmp_path / "user", tmp_path / "home"
    for folder in (user, home):
        folder.mkdir()
    for name in ("auth.json", "config.toml", "settings.json", ".credentials.json"):
        (user / name).write_text('{"tokens":{"refresh_token":"r"}}')
    before = {path.name: path.read_text() for path in user.iterdir()}
    env = {"CODEX_HOME": str(user), "CLAUDE_CONFIG_DIR": str(user)}
    (home / f".{kind}").symlink_to(user)
    login = logins.prepare(kind, env, home, tmp_path)
    assert {path.name: path.read_text() for path in user.iterdir()} == before
    targets = [Path(target) for _, target in (*login.read, *login.write)]
    assert targets
    for target in targets:
        target.symlink_to(user / "auth.json")
    logins.prepare(kind, env, home, tmp_path)
    assert not any(path.is_symlink() for path in (home / f".{kind}", *targets))
    assert {path.name: path.read_text() for path in user.iterdir()} == before


def test_probing_makes_a_box(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that exists and cannot make a box is no sandbox; as root, user namespaces can be missing."""
    monkeypatch.setattr(sys, "platform", "linux")
    calls: list[tuple[str, ...]] = []

    def refuse(argv: object) -> ProbeResult:
        assert isinstance(argv, tuple)
        calls.append(argv)
        return ProbeResult(argv=argv, exit_code=1, stderr="bwrap: setting up uid map: Permission denied")

    result = probing.support(refuse)
    assert "Permission denied" in result.problem
    assert "user namespaces" in result.fix
    assert all(call[-1] == "true" for call in calls)


def test_checks_get_certificates_and_no_addresses_with_passwords() -> None:
    """Behind a proxy that signs by itself, `pip install` needs to know its certificate."""
    given = {"PIP_CERT": "/etc/company.pem", "PIP_INDEX_URL": "https://una:secret@pypi.example.org"}
    assert check_environment(given).get("PIP_CERT") == "/etc/company.pem"
    assert "PIP_INDEX_URL" not in check_environment(given)
