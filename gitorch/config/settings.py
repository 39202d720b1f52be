"""All settings: each table of `.orchestrate.toml` as a frozen value with its defaults."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of the configuration."""


class PrepareSettings(Section, frozen=True, kw_only=True):
    """`[prepare]`: what happens in a worktree before its agent starts."""

    copy: tuple[str, ...] = ()
    run: tuple[str, ...] = ()
    env: dict[str, str] = {}


class RunSettings(Section, frozen=True, kw_only=True):
    """`[run]`: how many agents, how long, how often."""

    max_agents: int = 3
    start_after: Literal["finished", "approved"] = "finished"
    task_timeout: str = "90m"
    idle_timeout: str = "15m"
    retries: int = 1
    fix_checks: int = 1
    tell_conflicts: bool = True
    rate_limits: Literal["wait", "switch", "stop"] = "wait"
    max_unreviewed: int = 0
    until: str = ""
    budget: float = 0.0
    token_budget: int = 0
    min_free_disk: str = "2GB"
    try_base: bool = True
    keep_awake: bool = True
    max_output: str = "32MB"
    redact_commits: bool = True
    rescue_every: str = "2m"


class SandboxSettings(Section, frozen=True, kw_only=True):
    """`[sandbox]`: the isolation of an agent, the hosts that it may reach, what more it may read and write, and use."""

    mode: Literal["auto", "bwrap", "landlock", "private", "off"] = "auto"
    network: Literal["on", "open", "off"] = "on"
    hosts: tuple[str, ...] = ()
    keys: Literal["auto", "outside", "inside"] = "auto"
    read: tuple[str, ...] = ()
    write: tuple[str, ...] = ()
    watch: tuple[str, ...] = ()
    memory: str = "8GB"
    processes: int = 2000
    disk: str = "20GB"

    @property
    def keys_outside(self) -> bool:
        """Whether API keys stay outside of a sandbox with these settings: its proxy adds them to requests."""
        return self.keys != "inside" and self.network == "on"


class PriceSettings(Section, frozen=True, kw_only=True):
    """`prices` of an agent: dollars per million tokens; `cached` is for what is read from the prompt cache.

    Without `cached`, that costs as much as other input.
    """

    input: float
    output: float
    cached: float | None = None


Permissions: TypeAlias = Literal["worktree", "readonly", "full"]
"""What an agent may do: work in its worktree, only read there, or everything that its sandbox lets it."""

DeclaredOutcome: TypeAlias = Literal[
    "finished", "asked", "refused", "limited", "out of budget", "not logged in", "setup", "crashed", "failed"
]
"""How an execution of a command agent can have ended, by the user's own rules."""


class AgentSettings(Section, frozen=True, kw_only=True):
    """One `[agents.NAME]` table: the kind, the executable, the model, arguments and environment.

    `exit_codes` says what the exit codes of a command mean, `attach` what opens an attempt's session on a terminal.
    `permissions` is what the agent may do; `readonly_args` are the arguments with which a `command` or `acp` program
    only reads. `auth_method` is the login method of an `acp` agent. With a `label`, it runs on workers that have it.
    """

    kind: Literal["claude", "codex", "api", "acp", "command"]
    path: str = ""
    model: str = ""
    args: tuple[str, ...] = ()
    env: dict[str, str] = {}
    pass_env: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    attach: tuple[str, ...] = ()
    exit_codes: dict[str, DeclaredOutcome] = {}
    permissions: Permissions = "worktree"
    readonly_args: tuple[str, ...] | None = None
    auth_method: str = ""
    label: str = ""
    key: dict[str, str] = {}
    prices: PriceSettings | None = None


class RoleSettings(Section, frozen=True, kw_only=True):
    """One `[roles.NAME]` table: changes a built-in specialist, or adds one."""

    prompt: str = ""
    prompt_file: str = ""
    purpose: str = ""
    match: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    agent: str = ""


class ReviewSettings(Section, frozen=True, kw_only=True):
    """`[review]`: what approval requires, which paths need extra attention, and the viewer of diffs."""

    require_checks: bool = True
    viewer: str = ""
    sensitive: tuple[str, ...] = ("**/auth/**", ".github/**", "*.lock")


Verify: TypeAlias = Literal["each", "batch", "end", "never"]
"""Which trees of a merge are checked."""


class MergeSettings(Section, frozen=True, kw_only=True):
    """`[merge]`: how approved work reaches the integration branch."""

    verify: Verify = "batch"
    parallel_checks: int = 0
    auto: Literal["approved", "finished"] = "approved"
    on_conflict: Literal["hold", "agent"] = "hold"
    restack: bool = True
    resolve: Literal["off", "propose", "auto"] = "propose"
    max_checks: int = 0
    sign: Literal["auto", "always", "never"] = "auto"
    regenerate: dict[str, str] = {}


class TrashSettings(Section, frozen=True, kw_only=True):
    """`[trash]`: how long worktrees and logs that were taken away are kept."""

    keep: str = "14d"


class RemoteSettings(Section, frozen=True, kw_only=True):
    """`[remote]`: agents on other machines, over a Temporal cluster; see docs/remote.md.

    `address` is HOST:PORT, or "env" for Temporal's own environment variables and profile. `api_key` names the variable
    that holds the key. `ca`, `certificate` and `private_key` are paths of PEM files. Checks on workers run on those
    with `checks_label`. `copy_files` sends them what `prepare.copy` names.
    """

    address: str = ""
    namespace: str = "default"
    tls: bool = False
    ca: str = ""
    certificate: str = ""
    private_key: str = ""
    api_key: dict[str, str] = {}
    origin: str = ""
    deliver: Literal["push", "bundle"] = "push"
    lost_after: str = "60s"
    checks_on: Literal["home", "workers"] = "home"
    checks_label: str = ""
    copy_files: bool = False


class NotifySettings(Section, frozen=True, kw_only=True):
    """`[notify]`: a command that gets each event as JSON on its standard input, and whether the desktop shows them."""

    command: tuple[str, ...] = ()
    desktop: bool = False


BUILT_IN_AGENTS: dict[str, dict[str, str]] = {
    "claude": {"kind": "claude", "path": "claude"},
    "codex": {"kind": "codex", "path": "codex"},
    "api": {"kind": "api"},
}


class Config(Section, frozen=True, kw_only=True):
    """The effective settings."""

    base: str = "auto"
    integration: str = "orch/integration"
    branch: str = "orch/{task}"
    worktrees: str = "../{repo}.orch/{task}"
    agent: str = "auto"
    role: str = "auto"
    prepare: PrepareSettings = PrepareSettings()
    run: RunSettings = RunSettings()
    checks: dict[str, str] = {}
    sandbox: SandboxSettings = SandboxSettings()
    agents: dict[str, AgentSettings] = {}
    roles: dict[str, RoleSettings] = {}
    review: ReviewSettings = ReviewSettings()
    merge: MergeSettings = MergeSettings()
    trash: TrashSettings = TrashSettings()
    remote: RemoteSettings = RemoteSettings()
    notify: NotifySettings = NotifySettings()

    def branch_of(self, task: str) -> str:
        """Return the branch of a task."""
        return self.branch.replace("{task}", task)

    @property
    def candidate(self) -> str:
        """Return the branch of the merge candidate."""
        return self.branch_of("candidate")

    @property
    def prefix(self) -> str:
        """Return the common prefix of task branches: `orch/`."""
        return self.branch.partition("{task}")[0]
