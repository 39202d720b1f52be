"""The specialists, and how a task finds its own."""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec


class Role(msgspec.Struct, frozen=True, kw_only=True):
    """A specialist: instructions for the agent, the words and paths by which a task finds it, and its agent."""

    name: str
    instructions: str
    match: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    agent: str = ""


GENERALIST = Role(
    name="generalist",
    instructions="Work as an experienced software engineer. Follow the conventions of this repository.",
)

_BUILT_IN = (
    (
        "backend-systems-engineer",
        "You build services, APIs and data access. Validate input at the edge, handle every error path, keep "
        "interfaces stable, and cover behaviour with tests.",
        "api apis endpoint endpoints backend server service services database auth authentication oauth oauth2 rest "
        "graphql middleware migration crud fastapi flask django queue cache",
    ),
    (
        "frontend-ui-engineer",
        "You build user interfaces. Keep components small and accessible, handle loading, empty and error states, and "
        "test what the user sees.",
        "ui frontend react vue svelte css html component components page layout button form forms responsive "
        "accessibility stylesheet dashboard",
    ),
    (
        "data-pipeline-engineer",
        "You build data pipelines. Make every step idempotent and restartable, check data at the borders, and say "
        "what happens to bad records.",
        "etl pipeline pipelines airflow spark kafka ingestion dag dbt snowflake batch streaming warehouse",
    ),
    (
        "aws-cloud-architect",
        "You build infrastructure as code. Least privilege, no secrets in files, everything reproducible and "
        "destroyable.",
        "aws terraform cloudformation lambda s3 ec2 kubernetes k8s docker infrastructure deploy deployment cdk iam",
    ),
    (
        "ml-systems-architect",
        "You build machine learning systems. Separate training from serving, fix seeds, version data and models, and "
        "measure before you claim.",
        "ml machine-learning model-training training inference pytorch tensorflow feature-store embeddings mlops churn",
    ),
    (
        "data-science-analyst",
        "You analyse data. State the question, show the method, quantify uncertainty, and keep the analysis "
        "reproducible.",
        "analysis analyze eda statistics statistical visualization notebook pandas plot regression forecast cohort",
    ),
    (
        "data-architect-governance",
        "You design data models and their rules: names, ownership, lineage, retention and privacy.",
        "schema data-model governance lineage retention gdpr catalog warehouse-model entity-relationship",
    ),
    (
        "project-delivery-manager",
        "You turn goals into deliverable steps: scope, order, risks, and what done means.",
        "roadmap milestone milestones sprint release-plan backlog delivery",
    ),
    (
        "llm-architect",
        "You build systems around language models: prompts, tools, retrieval, evaluation, cost and safety.",
        "llm llms prompt prompts rag gpt chatbot retrieval-augmented fine-tune fine-tuning",
    ),
    (
        "specifications-engineer",
        "You write specifications and documentation: precise, complete, testable, with examples that run.",
        "spec specification specifications requirements documentation docs readme rfc adr changelog docstring tutorial",
    ),
)

BUILT_IN: dict[str, Role] = {GENERALIST.name: GENERALIST} | {
    name: Role(name=name, instructions=instructions, match=tuple(words.split()))
    for name, instructions, words in _BUILT_IN
}


def route(title: str, roles: Mapping[str, Role]) -> tuple[Role, tuple[str, ...]]:
    """Choose the role whose words occur most often in a title, and say which words those were.

    Words match whole, never inside others ("email" holds no "ml"). A tie, or no word at all, is for the generalist.
    """
    text = " ".join(re.findall(r"[\w]+", title.lower()))
    hits = {role.name: tuple(word for word in role.match if _occurs(word, text)) for role in roles.values()}
    most = max((len(found) for found in hits.values()), default=0)
    best = [name for name, found in hits.items() if len(found) == most]
    if most == 0 or len(best) > 1:
        return roles[GENERALIST.name], ()
    return roles[best[0]], hits[best[0]]


def _occurs(word: str, text: str) -> bool:
    phrase = re.escape(" ".join(re.findall(r"[\w]+", word.lower())))
    return re.search(rf"(?<!\w){phrase}(?!\w)", text) is not None
