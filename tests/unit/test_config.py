"""The configuration: its layers, where each value comes from, and what is refused with file and line."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from gitorch.config import (
    FILE,
    PERSONAL,
    Config,
    Layer,
    LoadedConfig,
    combine,
    from_assignments,
    from_environment,
    parse,
    parse_file,
    roles,
    seconds,
    size,
    user_file,
)
from gitorch.errors import InvalidInput


def loaded(text: str, origin: str = FILE) -> LoadedConfig:
    return combine([parse(text, origin)])


def refusal(text: str) -> InvalidInput:
    with pytest.raises(InvalidInput) as refused:
        loaded(text)
    return refused.value


def test_nothing_is_required() -> None:
    """Without any file the built-in values hold, with the built-in agents."""
    config = combine([]).config
    assert (config.integration, config.branch, config.prefix) == ("orch/integration", "orch/{task}", "orch/")
    assert config.branch_of("t1") == "orch/t1"
    assert (config.run.max_agents, config.run.task_timeout, config.review.require_checks) == (3, "90m", True)
    assert set(config.agents) == {"claude", "codex", "api"}
    assert config.checks == {}


def test_the_order_of_layers() -> None:
    """User, repository, personal, environment, command line: the last one that says something wins, key by key."""
    layers = [
        parse('base = "user"\nrole = "user"\nagent = "user"\n[run]\nmax_agents = 1\nbudget = 1.5', "config.toml"),
        parse('role = "repository"\nagent = "repository"\n[run]\nmax_agents = 2\nretries = 2', FILE),
        parse('agent = "personal"\n[run]\nmax_agents = 4', PERSONAL),
        from_environment({"GITORCH_RUN_MAX_AGENTS": "5", "GITORCH_RUN_UNTIL": "07:00"}),
        from_assignments(["run.max_agents=6"]),
    ]
    found = combine(layers)
    config, origins = found.config, found.origins
    assert (config.base, config.role, config.agent) == ("user", "repository", "personal")
    assert (config.run.max_agents, config.run.until, config.run.retries, config.run.budget) == (6, "07:00", 2, 1.5)
    named = {name: origins[name] for name in ("base", "role", "agent", "run.until", "run.max_agents", "run.retries")}
    assert named == {
        "base": "config.toml",
        "role": FILE,
        "agent": PERSONAL,
        "run.until": "the environment",
        "run.max_agents": "-c",
        "run.retries": FILE,
    }
    assert origins["agents.claude.kind"] == "built-in"


def test_tables_merge_and_lists_replace() -> None:
    """A table takes what each layer adds; a list is the last layer's."""
    below = parse('[checks]\ntest = "a"\nlint = "b"\n[prepare]\nrun = ["x", "y"]\n[agents.claude]\nargs = ["1"]', FILE)
    above = parse('[checks]\nlint = "c"\n[prepare]\nrun = ["z"]\n[agents.claude]\nmodel = "m"', PERSONAL)
    config = combine([below, above]).config
    assert config.checks == {"test": "a", "lint": "c"}
    assert config.prepare.run == ("z",)
    claude = config.agents["claude"]
    assert (claude.kind, claude.path, claude.args, claude.model) == ("claude", "claude", ("1",), "m")


def test_own_agents_and_roles() -> None:
    """A repository adds agents and specialists of its own beside the built-in ones."""
    text = '[agents.ruff]\nkind = "command"\ncommand = ["ruff", "{task}"]\n[roles.tester]\nprompt = "Test."\n'
    config = loaded(text).config
    assert config.agents["ruff"].command == ("ruff", "{task}")
    assert "claude" in config.agents
    known = roles(loaded(text), None)
    assert known["tester"].instructions == "Test."
    assert "backend-systems-engineer" in known


def test_a_role_changes_what_it_names_only(tmp_path: Path) -> None:
    """A built-in specialist keeps what a repository does not change; a prompt may stand in a file."""
    (tmp_path / "backend.md").write_text("Be careful.\n")
    text = '[roles.backend-systems-engineer]\nprompt_file = "backend.md"\nagent = "codex"\n'
    known = roles(loaded(text), tmp_path)["backend-systems-engineer"]
    assert (known.instructions, known.agent) == ("Be careful.\n", "codex")
    assert known.match == roles(combine([]), None)["backend-systems-engineer"].match
    with pytest.raises(InvalidInput, match=r"roles\.x\.prompt_file cannot be read"):
        roles(loaded('[roles.x]\nprompt_file = "gone.md"'), tmp_path)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('integratoin = "x"', f"{FILE}:1: unknown key integratoin; did you mean integration?"),
        ("# one\n[run]\n\nmax_agent = 3", f"{FILE}:4: unknown key run.max_agent; did you mean max_agents?"),
        ("[agents.claude]\nmodell = 'x'", f"{FILE}:2: unknown key agents.claude.modell; did you mean model?"),
        ("[roles.x]\nmacth = ['x']", f"{FILE}:2: unknown key roles.x.macth; did you mean match?"),
        ("[zzz]\na = 1", f"{FILE}:1: unknown key zzz"),
        ("[merge]\nauto = 'approved'\n[run]\nauto = 1", f"{FILE}:4: unknown key run.auto"),
    ],
)
def test_unknown_keys(text: str, told: str) -> None:
    """An unknown key is refused with its near miss, file and line."""
    assert refusal(text).what == told


def test_all_unknown_keys_at_once() -> None:
    """Several mistakes are told together."""
    assert refusal("aa = 1\nbb = 2").what.count("unknown key") == 2


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[run]\nmax_agents = "three"', f'{FILE}:2: run.max_agents = "three" is not valid: it must be a whole number'),
        ("[checks]\n\ntest = 3", f"{FILE}:3: checks.test = 3 is not valid: it must be text"),
        (
            '[run]\nrate_limits = "never"',
            f'{FILE}:2: run.rate_limits = "never" is not valid: it must be wait, switch or stop',
        ),
        ("run = 3", f"{FILE}:1: run = 3 is not valid: it must be a table"),
        ("agents = 3", f"{FILE}:1: agents = 3 is not valid: it must be a table of tables"),
        (
            "[agents.x]\nkind = 'magic'",
            f'{FILE}:2: agents.x.kind = "magic" is not valid: it must be claude, codex, api, acp or command',
        ),
        (
            "\n[agents.x]\npath = 'magic'",
            f"{FILE}:2: agents.x.kind is missing: it must be claude, codex, api, acp or command",
        ),
        ("[prepare]\nenv = { A = 1 }", f"{FILE}:2: prepare.env.A = 1 is not valid: it must be text"),
        (
            "[prepare]\nrun = 'npm ci'",
            f'{FILE}:2: prepare.run = "npm ci" is not valid: it must be a list, such as ["..."], of text',
        ),
        ("[run]\nmax_agents = 0", f"{FILE}:2: run.max_agents = 0 is not valid: it must be 1 or more"),
        ("branch = 'orch'", f'{FILE}:1: branch = "orch" is not valid: it must contain {{task}}'),
        ("[run]\ntask_timeout = 'soon'", f"{FILE}:2: run.task_timeout: 'soon' is not a duration"),
        ("[remote]\naddress = 'somewhere'", f"{FILE}:2: remote.address: 'somewhere' is not HOST:PORT"),
        ("[remote]\napi_key = { value = 'x' }", f"{FILE}:2: remote.api_key must name the environment variable"),
        ("[remote]\nlost_after = '1s'", f"{FILE}:2: remote.lost_after must be at least 2s, not 1s"),
        ("[agents.x]\nkind = 'codex'\nexit_codes = { a = 'failed' }", f"{FILE}:3: agents.x.exit_codes: a is not an"),
        ("[agents.x]\nkind = 'codex'\nreadonly_args = []", f"{FILE}:3: agents.x.readonly_args is for programs that"),
        ("[prepare]\nrun = ['a', 3]", f"{FILE}:2: prepare.run[1] = 3 is not valid: it must be text"),
        (
            "[agents.x]\nkind = 'codex'\nprices = { input = 'a', output = 1 }",
            f'{FILE}:3: agents.x.prices.input = "a" is',
        ),
        (
            "[agents.x]\nkind = 'codex'\nexit_codes = { 3 = 'odd' }",
            f'{FILE}:3: agents.x.exit_codes.3 = "odd" is not valid',
        ),
        ("[run]\nuntil = '25:00'", f"{FILE}:2: run.until: '25:00' is not a time"),
        ("[merge]\nmax_checks = -1", f"{FILE}:2: merge.max_checks = -1 is not valid: it must be 0 or more"),
        ("[run]\nmin_free_disk = 'much'", f"{FILE}:2: run.min_free_disk: 'much' is not a size"),
    ],
)
def test_wrong_values(text: str, told: str) -> None:
    """A value of the wrong type or range is refused, with its place where it stands in a file."""
    assert refusal(text).what.startswith(told)


@pytest.mark.parametrize(
    ("layer", "place"),
    [
        (from_assignments(["run.max_agents=x"]), "-c"),
        (from_environment({"GITORCH_RUN_MAX_AGENTS": "x"}), "the environment (GITORCH_RUN_MAX_AGENTS)"),
    ],
)
def test_a_wrong_value_says_where_it_comes_from(layer: Layer, place: str) -> None:
    """From the command line and the environment as from a file; the name of the variable is told."""
    with pytest.raises(InvalidInput) as error:
        combine([layer])
    assert error.value.what == f'{place}: run.max_agents = "x" is not valid: it must be a whole number'


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [("a = 1\nb = = 2", 2, 5), ("[run\nx = 1", 1, 5), ('a = "\u2028\x85"\nb = = 2', 2, 5), ("a = 1\r\nb = = 2", 2, 5)],
)
def test_syntax_errors(text: str, line: int, column: int) -> None:
    """What is no TOML is told with line, column, and the line itself."""
    error = refusal(text)
    assert error.what.startswith(f"{FILE}:{line}:{column}  ")
    assert error.why.startswith(f"{line} | ")
    assert error.why.endswith(text.replace("\r", "").split("\n")[line - 1])


def test_files(tmp_path: Path) -> None:
    """A missing file is no layer; one that is not UTF-8 is named; a byte order mark does not matter."""
    path = tmp_path / FILE
    assert parse_file(path) is None
    path.write_bytes(b"\xef\xbb\xbfbase = 'x'\r\n")
    layer = parse_file(path)
    assert layer is not None
    assert (layer.origin, layer.settings) == (FILE, {"base": "x"})
    path.write_bytes(b"base = '\xff'")
    with pytest.raises(InvalidInput, match=rf"{FILE} is not UTF-8"):
        parse_file(path)


def test_the_environment() -> None:
    """Every plain setting has a variable; a value that is not TOML is text; the seed's variables still work."""
    found = from_environment(
        {
            "GITORCH_AGENT": "codex",
            "GITORCH_RUN_TASK_TIMEOUT": "10m",
            "GITORCH_REVIEW_REQUIRE_CHECKS": "false",
            "GITORCH_REVIEW_SENSITIVE": '["a", "b"]',
            "GITORCH_NONSENSE": "x",
            "MAX_AGENTS": "7",
            "USE_API_MODE": "true",
        }
    )
    config = combine([found]).config
    assert (config.agent, config.run.task_timeout, config.run.max_agents) == ("codex", "10m", 7)
    assert config.review.require_checks is False
    assert config.review.sensitive == ("a", "b")


@pytest.mark.parametrize(
    ("value", "agent"), [("true", "api"), ("1", "api"), ("YES", "api"), ("false", "auto"), ("0", "auto"), ("", "auto")]
)
def test_the_seeds_api_mode(value: str, agent: str) -> None:
    """`USE_API_MODE` chooses the API agent, and only when it says yes."""
    assert combine([from_environment({"USE_API_MODE": value})]).config.agent == agent


def test_an_agents_environment_is_no_configuration() -> None:
    """Inside an agent `GITORCH_*` tells of its task."""
    assert from_environment({"GITORCH_TASK": "t", "GITORCH_AGENT": "claude"}).settings == {}


def test_assignments() -> None:
    """`-c` takes TOML values, and everything else as text."""
    words = [
        "run.max_agents=2",
        "base=feature/x = y",
        "merge.verify = 'each'",
        "checks.test=pytest -q",
        "agents.x.kind=api",
    ]
    config = combine([from_assignments(words)]).config
    assert (config.run.max_agents, config.base, config.merge.verify) == (2, "feature/x = y", "each")
    assert config.checks == {"test": "pytest -q"}
    assert config.agents["x"].kind == "api"


@pytest.mark.parametrize(("word", "expected"), [("base=07:00", "07:00"), ("base='7:00'", "7:00"), ("base=7", "7")])
def test_text_needs_no_quotes(word: str, expected: str) -> None:
    """What would be a time or a number in TOML is text where the setting is text."""
    assert combine([from_assignments([word])]).config.base == expected
    assert combine([from_assignments(["checks.ok=true"])]).config.checks == {"ok": "true"}


@pytest.mark.parametrize("word", ["base", "run=3", "base.x=1", "=3", "run..x=1", "run.max_agentz=3"])
def test_wrong_assignments(word: str) -> None:
    """A `-c` that means nothing is refused, never a crash."""
    with pytest.raises(InvalidInput, match=r"-c|run|base"):
        combine([from_assignments(["base=main", word])])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("45", 45),
        ("45s", 45),
        ("90m", 5400),
        ("1h30m", 5400),
        ("1h 30m", 5400),
        ("2d", 172800),
        ("1.5h", 5400),
        ("0", 0),
    ],
)
def test_durations(text: str, expected: float) -> None:
    """Durations are read with and without units."""
    assert seconds(text) == expected


@pytest.mark.parametrize("text", ["", "soon", "-5m", "5 apples", "1h-2m", "m", "1..5s", ".", "5m!", "1e5", "٣s"])
def test_what_is_no_duration(text: str) -> None:
    """What is no duration is refused, never guessed at and never a crash."""
    with pytest.raises(InvalidInput, match="is not a duration"):
        seconds(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("2GB", 2 * 10**9), ("500MB", 5 * 10**8), ("1.5 kb", 1500), ("7", 7), ("7b", 7), ("1T", 10**12)],
)
def test_sizes(text: str, expected: int) -> None:
    """Sizes are read with and without units."""
    assert size(text) == expected


@pytest.mark.parametrize("text", ["", "much", "-1GB", "1PB", "GB", "1..5GB", "."])
def test_what_is_no_size(text: str) -> None:
    """What is no size is refused."""
    with pytest.raises(InvalidInput, match="is not a size"):
        size(text)


@given(st.text(max_size=12))
def test_no_text_crashes_the_units(text: str) -> None:
    """Any text is a number or a refusal."""
    for read in (seconds, size):
        with contextlib.suppress(InvalidInput):
            assert read(text) >= 0


@given(st.text(max_size=60))
def test_no_text_crashes_the_reader(text: str) -> None:
    """Any file is a configuration or a refusal."""
    with contextlib.suppress(InvalidInput):
        assert isinstance(loaded(text).config, Config)


def test_the_users_own_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It stands where the platform keeps configuration."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert user_file() == tmp_path / "gitorch" / "config.toml"


def test_layers_are_kept() -> None:
    """What was read stays known, for `config show --origin`."""
    layer = parse("base = 'x'", FILE)
    assert combine([layer]).layers == (layer,)
    assert isinstance(layer, Layer)
