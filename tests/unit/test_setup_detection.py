"""What `init` reads from the files of a repository: package managers, checks, and what a fresh worktree needs."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest
import tomli

from gitorch.flow.setup import CheckTrial, ProjectFiles, Setup, Toolchain, Trial, check_names, config_text, detect
from gitorch.flow.setup.table import rows

Files = Mapping[str, str]


def project(files: Files, *ignored: str) -> ProjectFiles:
    return ProjectFiles(frozenset(files), lambda path: files.get(path, ""), frozenset(ignored))


def package(scripts: Mapping[str, str], **fields: object) -> str:
    return json.dumps({"scripts": scripts, **fields})


JEST = package({"test": "jest", "lint": "eslint ."}, devDependencies={"jest": "*"})
PYTEST = '[project]\nname = "a"\n[project.optional-dependencies]\ntest = ["pytest"]\n'

KINDS: dict[str, tuple[Files, str, dict[str, str], tuple[str, ...]]] = {
    # files; toolchain; the checks of its last setup; what that setup runs first
    "npm": (
        {"package.json": JEST, "package-lock.json": "{}"},
        "npm",
        {"test": "npm run --silent test", "lint": "npm run --silent lint"},
        ("npm ci",),
    ),
    "npm without a lock file": (
        {"package.json": JEST},
        "npm",
        {"test": "npm run --silent test", "lint": "npm run --silent lint"},
        ("npm install --no-save --no-package-lock",),
    ),
    "pnpm": (
        {"package.json": package({"test": "vitest", "typecheck": "tsc"}), "pnpm-lock.yaml": ""},
        "pnpm",
        {"test": "pnpm run --silent test", "types": "pnpm run --silent typecheck"},
        ("pnpm install --frozen-lockfile",),
    ),
    "pnpm by name": (
        {"package.json": package({"test": "vitest"}, packageManager="pnpm@9.1.0")},
        "pnpm",
        {"test": "pnpm run --silent test"},
        ("pnpm install --frozen-lockfile",),
    ),
    "yarn 1": (
        {"package.json": JEST, "yarn.lock": "# yarn lockfile v1\n"},
        "yarn",
        {"test": "yarn --silent run test", "lint": "yarn --silent run lint"},
        ("yarn install --frozen-lockfile",),
    ),
    "yarn 4": (
        {"package.json": JEST, "yarn.lock": "__metadata:\n  version: 8\n"},
        "yarn",
        {"test": "yarn run test", "lint": "yarn run lint"},
        ("yarn install --immutable",),
    ),
    "bun": (
        {"package.json": JEST, "bun.lock": ""},
        "bun",
        {"test": "bun run --silent test", "lint": "bun run --silent lint"},
        ("bun install --frozen-lockfile",),
    ),
    "a pnpm workspace": (
        {
            "package.json": package({}),
            "pnpm-workspace.yaml": "packages: ['*']",
            "pnpm-lock.yaml": "",
            "a/package.json": JEST,
        },
        "pnpm",
        {"test": "pnpm --recursive run --if-present test", "lint": "pnpm --recursive run --if-present lint"},
        ("pnpm install --frozen-lockfile",),
    ),
    "an npm workspace": (
        {"package.json": package({}, workspaces=["a"]), "package-lock.json": "", "a/package.json": JEST},
        "npm",
        {
            "test": "npm run --silent test --workspaces --if-present",
            "lint": "npm run --silent lint --workspaces --if-present",
        },
        ("npm ci",),
    ),
    "a package in a folder": (
        {"web/package.json": JEST, "web/package-lock.json": "{}"},
        "npm in web",
        {"test": "cd web && npm run --silent test", "lint": "cd web && npm run --silent lint"},
        ("cd web && npm ci",),
    ),
    "pip": (
        {"pyproject.toml": PYTEST, "tests/test_a.py": ""},
        "python",
        {"test": ".venv/bin/python -m pytest -q"},
        (
            "python3 -m venv .venv && echo '*' >.venv/.gitignore",
            ".venv/bin/python -m pip install --quiet --disable-pip-version-check -e '.[test]' pytest",
        ),
    ),
    "pip with linters": (
        {
            "requirements.txt": "flask\n",
            "requirements-dev.txt": "pytest\n",
            "ruff.toml": "",
            "mypy.ini": "[mypy]\nfiles = a\n",
        },
        "python",
        {
            "test": ".venv/bin/python -m pytest -q",
            "lint": ".venv/bin/python -m ruff check",
            "types": ".venv/bin/python -m mypy",
        },
        (
            "python3 -m venv .venv && echo '*' >.venv/.gitignore",
            ".venv/bin/python -m pip install --quiet --disable-pip-version-check"
            " -r requirements.txt -r requirements-dev.txt pytest ruff mypy",
        ),
    ),
    "uv": (
        {"pyproject.toml": PYTEST, "uv.lock": ""},
        "uv",
        {"test": "uv run --quiet --frozen python -m pytest -q"},
        ("uv sync --quiet --frozen --extra test",),
    ),
    "poetry": (
        {"pyproject.toml": "[tool.poetry.group.dev.dependencies]\npytest = '*'\n", "poetry.lock": ""},
        "poetry",
        {"test": "poetry run python -m pytest -q"},
        ("poetry install --quiet --no-interaction",),
    ),
    "poetry extra": (
        {"pyproject.toml": PYTEST, "poetry.lock": ""},
        "poetry",
        {"test": "poetry run python -m pytest -q"},
        ("poetry install --quiet --no-interaction --extras test",),
    ),
    "uv groups": (
        {"pyproject.toml": "[dependency-groups]\ntest = ['pytest']\ndev = ['black']\n", "uv.lock": ""},
        "uv",
        {"test": "uv run --quiet --frozen python -m pytest -q"},
        ("uv sync --quiet --frozen --group test",),
    ),
    "pdm": (
        {"pyproject.toml": PYTEST, "pdm.lock": ""},
        "pdm",
        {"test": "pdm run python -m pytest -q"},
        ("pdm sync --quiet --group test",),
    ),
    "pipenv": (
        {"Pipfile": "[dev-packages]\npytest = '*'\n", "Pipfile.lock": "{}"},
        "pipenv",
        {"test": "pipenv run python -m pytest -q"},
        ("pipenv sync --dev",),
    ),
    "hatch": (
        {"pyproject.toml": "[tool.hatch.envs.default]\ndependencies = ['pytest']\n"},
        "hatch",
        {"test": "hatch run python -m pytest -q"},
        (),
    ),
    "django": (
        {"manage.py": "", "requirements.txt": "django\n"},
        "python",
        {"test": ".venv/bin/python manage.py test"},
        (
            "python3 -m venv .venv && echo '*' >.venv/.gitignore",
            ".venv/bin/python -m pip install --quiet --disable-pip-version-check -r requirements.txt",
        ),
    ),
    "unittest": (
        {"setup.py": "", "tests/__init__.py": "", "tests/test_a.py": ""},
        "python",
        {"test": ".venv/bin/python -m unittest discover -q -s tests -t ."},
        (
            "python3 -m venv .venv && echo '*' >.venv/.gitignore",
            ".venv/bin/python -m pip install --quiet --disable-pip-version-check -e .",
        ),
    ),
    "cargo": ({"Cargo.toml": ""}, "cargo", {"test": "cargo test --quiet"}, ("cargo fetch",)),
    "go": ({"go.mod": ""}, "go", {"test": "go test ./...", "vet": "go vet ./..."}, ("go mod download",)),
    "maven": (
        {"pom.xml": ""},
        "maven",
        {"test": "mvn --batch-mode --quiet test"},
        ("mvn --batch-mode --quiet dependency:go-offline",),
    ),
    "maven wrapper": (
        {"mvnw": "", "pom.xml": ""},
        "maven",
        {"test": "./mvnw --batch-mode --quiet test"},
        ("./mvnw --batch-mode --quiet dependency:go-offline",),
    ),
    "gradle wrapper": (
        {"gradlew": "", "build.gradle.kts": ""},
        "gradle",
        {"test": "./gradlew --quiet --no-daemon test"},
        ("./gradlew --quiet --no-daemon testClasses",),
    ),
    "rspec": ({"Gemfile": "", ".rspec": ""}, "rspec", {"test": "bundle exec rspec"}, ("bundle install --quiet",)),
    "rake": (
        {"Gemfile": "", "Rakefile": "Rake::TestTask.new(:test)"},
        "rake",
        {"test": "bundle exec rake test"},
        ("bundle install --quiet",),
    ),
    "mix": ({"mix.exs": ""}, "mix", {"test": "mix test"}, ("mix deps.get",)),
    "composer": (
        {"composer.json": '{"scripts": {"test": "phpunit"}}'},
        "composer",
        {"test": "composer --no-interaction test"},
        ("composer install --no-interaction --quiet",),
    ),
    "phpunit": (
        {"composer.json": "{}", "phpunit.xml.dist": ""},
        "phpunit",
        {"test": "vendor/bin/phpunit"},
        ("composer install --no-interaction --quiet",),
    ),
    "deno": ({"deno.json": "{}"}, "deno", {"test": "deno test"}, ("deno install",)),
    "deno with a task": (
        {"deno.json": '{"tasks": {"test": "deno test -A"}}'},
        "deno",
        {"test": "deno task test"},
        ("deno install",),
    ),
    "dotnet": (
        {"App.sln": ""},
        "dotnet",
        {"test": "dotnet test --nologo --verbosity quiet"},
        ("dotnet restore",),
    ),
    "swift": ({"Package.swift": ""}, "swift", {"test": "swift test --quiet"}, ()),
    "zig": ({"build.zig": 'b.step("test", "")'}, "zig", {"test": "zig build test"}, ()),
    "make": ({"Makefile": "build:\n\ntest: build\n"}, "make", {"test": "make test"}, ()),
    "make check": ({"GNUmakefile": "check:\n"}, "make", {"test": "make check"}, ()),
    "just": ({"justfile": "test *args:\n  true\n"}, "just", {"test": "just test"}, ()),
    "task": ({"Taskfile.yml": "tasks:\n  test:\n"}, "task", {"test": "task test"}, ()),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_of_repository(kind: str) -> None:
    files, name, checks, run = KINDS[kind]
    (toolchain,) = detect(project(files))
    last = toolchain.setups[-1]
    assert (toolchain.name, last.checks, last.run) == (name, checks, run)
    assert toolchain.evidence in files
    assert last.hosts or not last.run


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"README.md": "pytest"},
        {"package.json": package({"test": 'echo "Error: no test specified" && exit 1'})},
        {"package.json": package({"test": "jest --watch", "build": "tsc"})},
        {"package.json": "{not json"},
        {"package.json": "[]"},
        {"package.json": '{"scripts": ["test"]}'},
        {"pyproject.toml": "not toml ["},
        {"pyproject.toml": '[project]\nname = "a"\n'},
        {"Makefile": "TEST := 1\ntest := 2\n.PHONY: test\n"},
        {"justfile": "testing:\n  true\ntest := 'a'\n"},
        {"CMakeLists.txt": "project(a)\n"},
        {"composer.json": '{"name": "a/test"}'},
        {"node_modules/a/package.json": JEST},
    ],
)
def test_nothing_is_made_up(files: Files) -> None:
    assert detect(project(files)) == []


def test_a_make_target_only_where_nothing_else_tests() -> None:
    files = {"Makefile": "test:\n", "go.mod": "", "justfile": "test:\n"}
    assert [toolchain.name for toolchain in detect(project(files))] == ["go"]
    only_linted = {"Makefile": "test:\n", "package.json": package({"lint": "eslint"})}
    assert [toolchain.name for toolchain in detect(project(only_linted))] == ["npm", "make"]


def test_the_cheapest_setup_comes_first() -> None:
    """Nothing at all where nothing is needed, then a copy of what the checkout has, then an installation."""
    (npm,) = detect(project({"package.json": JEST, "package-lock.json": ""}, "node_modules", "dist"))
    assert [(setup.copy, setup.run) for setup in npm.setups] == [(("node_modules",), ()), ((), ("npm ci",))]
    (bare,) = detect(project({"package.json": package({"test": "node --test"})}))
    assert [(setup.copy, bool(setup.run)) for setup in bare.setups] == [((), False), ((), True)]
    (mix,) = detect(project({"mix.exs": ""}, "deps"))
    assert [(setup.copy, setup.run) for setup in mix.setups] == [((), ()), (("deps",), ()), ((), ("mix deps.get",))]


def test_modules_of_a_workspace_are_copied_with_their_folders() -> None:
    files = {"package.json": package({"test": "x"}, workspaces=["a"]), "a/package.json": JEST}
    (npm,) = detect(project(files, "node_modules", "a/node_modules"))
    assert npm.setups[0].copy == ("a/node_modules", "node_modules")


def test_python_imports_the_worktree_and_not_an_installed_checkout() -> None:
    (python,) = detect(project({"pyproject.toml": PYTEST, "src/a/__init__.py": ""}))
    assert python.setups[0].checks == {"test": "PYTHONPATH=src python3 -m pytest -q"}


def test_several_toolchains() -> None:
    files = {"package.json": JEST, "package-lock.json": "", "pyproject.toml": PYTEST, "uv.lock": "", "Cargo.toml": ""}
    assert [toolchain.name for toolchain in detect(project(files))] == ["uv", "npm", "cargo"]


def test_every_row_of_the_table_is_a_kind() -> None:
    tested = {name for _, name, _, _ in KINDS.values()} | {"clippy", "rubocop", "gradle", "cmake"}
    assert {row.name for row in rows()} <= tested
    (cmake,) = detect(project({"CMakeLists.txt": "enable_testing()"}))
    assert cmake.setups[0].checks["test"].endswith("ctest --test-dir build --output-on-failure")


def trial(name: str, *checks: CheckTrial, **settings: tuple[str, ...]) -> Trial:
    setup = Setup(checks={check.name: check.command for check in checks}, **settings)
    toolchain = Toolchain(name=name, evidence="a", program=name, setups=(setup,))
    return Trial(toolchain=toolchain, setup=setup, checks=checks)


PASSED = CheckTrial(name="test", command='sh -c "a\\b\x7f"', passed=True, exit_code=0, seconds=1.26)
FAILED = CheckTrial(name="lint", command="ruff check", passed=False, exit_code=1, problem="failed with exit code 1: no")


def test_only_what_passed_is_a_setting() -> None:
    trials = [
        trial("uv", PASSED, FAILED, run=("uv sync",), hosts=("pypi.org",)),
        trial("npm", CheckTrial(name="test", command="npm test", passed=True), copy=("node_modules",)),
        trial(
            "go", CheckTrial(name="vet", command="go vet", passed=False), run=("go mod download",), hosts=("go.dev",)
        ),
    ]
    text = config_text(trials, ["claude: ready 2.1"])
    assert tomli.loads(text) == {
        "run": {},
        "prepare": {"copy": ["node_modules"], "run": ["uv sync"]},
        "checks": {"test": 'sh -c "a\\b\x7f"', "npm-test": "npm test"},
        "sandbox": {"hosts": ["pypi.org"]},
    }
    assert '# lint = "ruff check"' in text
    assert "# failed with exit code 1: no" in text
    assert "passed in 1.3 s" in text
    assert "#   claude: ready 2.1" in text


def test_nothing_is_a_setting_where_nothing_was_tried() -> None:
    text = config_text([trial("uv", PASSED, run=("uv sync",))], [], "there is no commit yet")
    assert tomli.loads(text) == {"run": {}, "prepare": {}, "checks": {}}
    assert "# not tried: there is no commit yet" in text


def test_an_install_step_that_did_not_work_is_a_comment() -> None:
    """pnpm is not installed: the file names the command of the lock file, not npm's."""
    short = config_text([trial("pnpm", FAILED, run=("pnpm install --frozen-lockfile",))], [])
    assert '# run  = ["pnpm install --frozen-lockfile"]' in short.splitlines()

    long = config_text([trial("pnpm", FAILED, run=("pnpm install " + "a" * 60, "pnpm build " + "b" * 60))], [])
    assert tomli.loads(long)["prepare"] == {}
    assert '#   "pnpm build ' + "b" * 60 + '",' in long.splitlines()

    assert '# run  = ["npm ci"]' in config_text([], []).splitlines()


def test_names_are_unique() -> None:
    again = CheckTrial(name="test", command="b", passed=True)
    names = check_names([trial("uv", PASSED), trial("npm in web", again), trial("go", again)])
    assert list(names) == ["test", "npm-in-web-test", "go-test"]


def test_hosts_of_checks_that_fetch_are_written() -> None:
    """hatch makes its environment when a check runs: there is no [prepare], and the hosts are needed all the same."""
    text = config_text([trial("hatch", PASSED, hosts=("pypi.org",))], ())
    assert tomli.loads(text)["sandbox"] == {"hosts": ["pypi.org"]}
