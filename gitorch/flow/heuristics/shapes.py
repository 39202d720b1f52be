"""What goals of a known kind consist of: an API, a user interface, a data pipeline, a model, and so on."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from gitorch.model.plan import Size


class Block(msgspec.Struct, frozen=True, kw_only=True):
    """A part that goals of some kind have; `after` names blocks, and waits for those of them that are there."""

    key: str
    title: str
    prompt: str
    role: str
    after: tuple[str, ...] = ()
    acceptance: tuple[str, ...] = ()
    size: Size = Size.MEDIUM


_BUILT = tuple(
    "schema api auth ui ingest transform quality schedule features train serve retrieval prompts command-line "
    "infrastructure".split()
)

_BLOCKS = (
    Block(
        key="schema",
        title="Design the data model",
        prompt="Design the data model that the goal needs: entities, relations, constraints, indexes, migrations. "
        "Write down what each entity is for.",
        role="data-architect-governance",
        acceptance=("the schema is created by a migration or definition in the repository", "each entity is explained"),
        size=Size.SMALL,
    ),
    Block(
        key="api",
        title="Build the API endpoints",
        prompt="Build the service and its endpoints on the data model: create, read, update, delete and list as far "
        "as the goal needs them, with validation at the edge and an error answer for every failure.",
        role="backend-systems-engineer",
        after=("schema",),
        acceptance=("each endpoint has a test of its good and its bad answers", "invalid input is refused in words"),
        size=Size.LARGE,
    ),
    Block(
        key="auth",
        title="Add authentication and authorization",
        prompt="Add sign-up, sign-in and sign-out as far as the goal needs them, keep passwords hashed, and protect "
        "what is not public. Say which endpoints need which rights.",
        role="backend-systems-engineer",
        after=("schema", "api"),
        acceptance=("what is protected refuses a caller without rights, with a test", "no password is kept in clear"),
    ),
    Block(
        key="ui",
        title="Build the user interface",
        prompt="Build the pages and components that the goal needs, with their loading, empty and error states.",
        role="frontend-ui-engineer",
        after=("api", "serve", "retrieval"),
        acceptance=("each page can be used with the keyboard", "what the user sees is covered by tests"),
        size=Size.LARGE,
    ),
    Block(
        key="ingest",
        title="Ingest the source data",
        prompt="Read the sources that the goal names, restartable and without loading a record twice. Say what "
        "happens to bad records.",
        role="data-pipeline-engineer",
        after=("schema",),
        acceptance=("a second run loads nothing twice", "bad records are kept aside and counted"),
    ),
    Block(
        key="transform",
        title="Transform and load the data",
        prompt="Turn what was read into the data model and load it where the goal says, step by step, each one "
        "testable by itself.",
        role="data-pipeline-engineer",
        after=("schema", "ingest"),
        acceptance=("each transformation has tests with small examples",),
        size=Size.LARGE,
    ),
    Block(
        key="quality",
        title="Check the quality of the data",
        prompt="Write checks of what was loaded: completeness, ranges, uniqueness, freshness. A failed check stops "
        "what comes after it and says why.",
        role="data-science-analyst",
        after=("transform",),
        acceptance=("a deliberately broken input is found by a check, with a test",),
    ),
    Block(
        key="schedule",
        title="Schedule and monitor the pipeline",
        prompt="Run the steps at the times that the goal asks for, with retries, logs, and an alarm when they fail.",
        role="data-pipeline-engineer",
        after=("transform",),
        size=Size.SMALL,
    ),
    Block(
        key="features",
        title="Prepare data and features",
        prompt="Read and clean the data, split it without leaks, and compute the features, the same way for training "
        "and for serving.",
        role="data-pipeline-engineer",
        after=("ingest", "transform"),
        acceptance=("the split is reproducible", "training and serving share the code of the features"),
    ),
    Block(
        key="train",
        title="Train and evaluate the model",
        prompt="Train a simple baseline first, then the model. Fix seeds, record data and parameters, and measure "
        "against the baseline on data that was held back.",
        role="ml-systems-architect",
        after=("features",),
        acceptance=("one command trains and evaluates", "the figures of baseline and model are written down"),
        size=Size.LARGE,
    ),
    Block(
        key="serve",
        title="Serve and monitor the predictions",
        prompt="Offer predictions the way the goal asks for, with the version of the model in each answer, and "
        "watch for drift of inputs and outputs.",
        role="ml-systems-architect",
        after=("train",),
    ),
    Block(
        key="retrieval",
        title="Build the language model's calls and retrieval",
        prompt="Build the calls to the language model: prompts in files, tools, retrieval where the goal needs "
        "knowledge, limits of cost and time, and what happens when it refuses or fails.",
        role="llm-architect",
        after=("schema",),
        size=Size.LARGE,
    ),
    Block(
        key="prompts",
        title="Evaluate the language model's answers",
        prompt="Write a set of questions with what a good answer holds, and a command that scores answers against it "
        "without a person.",
        role="llm-architect",
        after=("retrieval",),
    ),
    Block(
        key="command-line",
        title="Build the command line",
        prompt="Build the commands and options that the goal needs, with help, exit codes and errors that say what "
        "to do.",
        role="backend-systems-engineer",
        after=("schema",),
        acceptance=("every command has help and a test", "wrong usage exits with an error"),
    ),
    Block(
        key="infrastructure",
        title="Describe the infrastructure as code",
        prompt="Describe what the goal runs on as code that can be applied and destroyed, with least privilege and no "
        "secret in a file.",
        role="aws-cloud-architect",
        after=("api", "ui", "serve", "schedule"),
    ),
    Block(
        key="tests",
        title="Test all parts together",
        prompt="Write tests that go through all parts together the way a user does, beside the tests that each part "
        "has.",
        role="generalist",
        after=_BUILT,
        acceptance=("one command runs all tests", "a test goes through the main path of the goal from end to end"),
    ),
    Block(
        key="docs",
        title="Write the documentation",
        prompt="Document how to install, use, change and check what was built, with examples that run.",
        role="specifications-engineer",
        after=_BUILT,
        acceptance=("the examples were run as they stand",),
        size=Size.SMALL,
    ),
)

_SHAPES = (
    ("rest(?:ful)?|apis?|endpoints?|backend|microservices?|web service", "schema api"),
    ("graphql|fastapi|flask|django|express", "schema api"),
    ("auth|authentication|authorization|log-?in|sign-?(?:in|up)|oauth2?|jwt|user accounts?", "auth"),
    ("ui|front-?end|user interface|react|vue|svelte|angular|web pages?|landing page|dashboards?", "ui"),
    ("(?:web|mobile|full-?stack) ?(?:app|application|site)s?|websites?|saas|portal", "schema api ui"),
    ("blogs?|blogging|forum|wiki|cms", "schema api auth ui"),
    ("e-?commerce|online shop|online store|marketplace|shopping", "schema api auth ui"),
    ("etl|elt|data pipelines?|pipelines? (?:to|that|for|from)", "schema ingest transform quality schedule"),
    ("airflow|spark|ingest(?:ion)?|warehouse|snowflake", "schema ingest transform quality schedule"),
    ("machine learning|ml (?:model|system|pipeline)s?|train(?:ing)? (?:a|the) model", "features train serve"),
    ("recommendation|recommender|churn|predict(?:ion|ions|ive|s)?|classifier", "features train serve"),
    ("llms?|chat ?bots?|rag|language models?|retrieval[- ]augmented|gpt|assistant", "retrieval prompts"),
    ("cli|command[- ]line(?: tool)?", "command-line"),
    ("terraform|kubernetes|k8s|aws|cloudformation|infrastructure|deploy(?:ment|ed)?", "infrastructure"),
)
"""Words that tell a kind of goal, as a pattern, and the parts that such goals have beside tests and documentation."""


_CHANGE = re.compile(
    r"\s*(?:fix|mend|refactor|rename|update|upgrade|bump|remove|delete|drop|move|improve|optimi[sz]e|reduce|review|"
    r"document|test|change|replace|clean)\b",
    re.IGNORECASE,
)
"""Goals that change something there is: it has its parts already."""


def blocks_of(goal: str) -> list[Block]:
    """Return the parts of a goal whose words are those of known kinds, in an order to read them in; none for others."""
    if _CHANGE.match(goal):
        return []
    wanted = {key for words, keys in _SHAPES if _occurs(words, goal) for key in keys.split()}
    if not wanted:
        return []
    found = [block for block in _BLOCKS if block.key in {*wanted, "tests", "docs"}]
    return [msgspec.structs.replace(block, after=tuple(_nearest(block, found))) for block in found]


def _nearest(block: Block, found: list[Block]) -> Iterator[str]:
    """Yield what a block waits for, without what it waits for anyway by way of another one."""
    there = {one.key: one for one in found}
    direct = [key for key in block.after if key in there]
    return (key for key in direct if not any(key in _behind(there[other], there) for other in direct))


def _behind(block: Block, there: dict[str, Block]) -> set[str]:
    direct = {key for key in block.after if key in there}
    return direct.union(*(_behind(there[key], there) for key in direct))


def _occurs(words: str, goal: str) -> bool:
    return re.search(rf"(?<![\w-])(?:{words})(?![\w-])", goal, re.IGNORECASE) is not None
