"""What goals of a known kind consist of: an API, a user interface, a data pipeline, a model, and so on."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from gitorch.flow.planning.heuristics.features import Featured
from gitorch.flow.planning.heuristics.lexicon import head
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


_LAST = ("tests", "docs")
"""What is about all others, and waits for them."""

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
        acceptance=("one command runs all tests", "a test goes through the main path of the goal from end to end"),
    ),
    Block(
        key="docs",
        title="Write the documentation",
        prompt="Document how to install, use, change and check what was built, with examples that run.",
        role="specifications-engineer",
        acceptance=("the examples were run as they stand",),
        size=Size.SMALL,
    ),
)

_SHAPES = (
    ("rest(?:ful)?|apis?|endpoints?|backend|microservices?|web service", "schema api"),
    ("graphql|fastapi|flask|django|express", "schema api"),
    ("auth|authentication|authorization|oauth2?|jwt|sso|user accounts?", "auth"),
    (r"(?:log-?in|sign-?(?:in|up))(?! (?:page|form|screen|view|button))", "auth"),
    ("ui|front-?end|user interface|react|vue|svelte|angular|dashboards?", "ui"),
    (r"pages?(?=$|[.,;:]| (?:with|for|that|where|and|in|on|to|of)\b)", "ui"),
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


_PARTS = (
    *_SHAPES,
    ("(?:data )?quality(?: checks?)?|validation of (?:the )?data", "quality"),
    ("(?:\\w+ )?schedul(?:e|es|ing)", "schedule"),
    ("(?:\\w+ )?(?:tests|testing|test suite|test coverage)", "tests"),
    ("(?:\\w+ )?(?:documentation|docs|readme)", "docs"),
)
"""The same for one feature of a goal."""

_WITH_KIND = re.compile(r"\b(?:with|including)\b.*", re.IGNORECASE)
_PAGE = re.compile(r"\b(?:pages?|screens?|views?|dashboards?|forms?)$", re.IGNORECASE)
_THERE = re.compile(
    r"\b(?:existing|current|present|our) (?:\w+ )?(?:database|schema|tables|data model)\b", re.IGNORECASE
)


def kinds_of(goal: str) -> list[str]:
    """Return the keys of the parts that goals have whose words are those of known kinds; none for others.

    What a goal is for or does is not what it asks for: "caching for the API" is no API.
    """
    named = head(goal) + " ".join(_WITH_KIND.findall(goal))
    wanted = {key for words, keys in _SHAPES if _occurs(words, named) for key in keys.split()}
    if _THERE.search(goal):
        wanted.discard("schema")
    return [block.key for block in _BLOCKS if block.key in wanted]


def blocks_of(keys: Iterable[str], own: Sequence[Block] = ()) -> list[Block]:
    """Return known parts with tests and documentation, and a goal's own ones before these, in an order to read them in.

    Where the goal is of no known kind there are its own parts alone.
    """
    wanted = {*keys, "tests", "docs"} if keys else set[str]()
    known = [block for block in _BLOCKS if block.key in wanted]
    built = [*(block for block in known if block.key not in _LAST), *own]
    last = [_later(block, [one.key for one in built]) for block in known if block.key in _LAST]
    found = [*built, *last]
    return [msgspec.structs.replace(block, after=tuple(_nearest(block, found))) for block in found]


def _later(block: Block, keys: Sequence[str]) -> Block:
    return msgspec.structs.replace(block, after=tuple(keys))


def features_of(goal: str, found: Featured) -> list[Block]:
    """Return the parts of something that is to be made: those of its kind, and those that its features name.

    None where the features are only what it is made with.
    """
    base = kinds_of(found.base)
    named = {item: _kinds_of_feature(item) for item in found.features}
    known = {key for keys in named.values() for key in keys}
    rest = [item for item in found.features if not named[item] and not _is_tool(item)]
    pages = [item for item in found.features if _PAGE.search(item) and not found.is_ability]
    if not base and known - set(_LAST) and not rest and not pages:
        return blocks_of(known)
    if not (base or len(rest) + len(pages) > 1):
        return []
    start = base or ["base"]
    own = [] if base else [Block(key="base", title=_capital(found.base), prompt=goal, role="")]
    for item in found.features:
        if item in pages:
            own.append(_page(item, start))
        elif item in rest:
            own.append(_feature(item, start, is_ability=found.is_ability))
    return blocks_of({*base, *known} if base else (), own)


def _kinds_of_feature(item: str) -> list[str]:
    """Return the keys of the known parts that a feature is; a page is a part of its own."""
    wanted = {_principal(keys.split()) for words, keys in _PARTS if _occurs(words, item)} - {""}
    if _PAGE.search(item):
        wanted.discard("ui")
    return [block.key for block in _BLOCKS if block.key in wanted]


def _principal(keys: list[str]) -> str:
    """Return the part that the words of a kind mean as a feature; none for kinds of whole systems."""
    return "" if len(keys) > 2 else keys[-1] if keys[0] == "schema" else keys[0]


def _is_tool(item: str) -> bool:
    """Tell whether a feature is a name ("FastAPI", "Tailwind CSS"): what something is made with."""
    words = item.split()
    return all(word[:1].isupper() for word in words) and any(any(map(str.islower, word)) for word in words)


def _page(item: str, start: Sequence[str]) -> Block:
    (ui,) = (block for block in _BLOCKS if block.key == "ui")
    prompt = f"Build {item}, with its loading, empty and error states."
    after = (*start, "schema", "api", "auth", "ui")
    return msgspec.structs.replace(
        ui, key=f"+{item}", title=f"Build {item}", prompt=prompt, after=after, size=Size.MEDIUM
    )


def _feature(item: str, start: Sequence[str], *, is_ability: bool) -> Block:
    title = _capital(item) if is_ability else f"Add {item}"
    return Block(key=f"+{item}", title=title, prompt=f"{title}, as the goal asks for it.", role="", after=tuple(start))


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _nearest(block: Block, found: list[Block]) -> Iterator[str]:
    """Yield what a block waits for, without what it waits for anyway by way of another one."""
    there = {one.key: one for one in found}
    direct = [key for key in dict.fromkeys(block.after) if key in there and key != block.key]
    return (key for key in direct if not any(key in _behind(there[other], there) for other in direct))


def _behind(block: Block, there: dict[str, Block]) -> set[str]:
    direct = {key for key in block.after if key in there}
    return direct.union(*(_behind(there[key], there) for key in direct))


def _occurs(words: str, goal: str) -> bool:
    return re.search(rf"(?<![\w-])(?:{words})(?![\w-])", goal, re.IGNORECASE) is not None
