"""The planner that asks a model. It validates the answer, and allows one round to fix it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from gitorch.agents.question import Answer, Message, Question
from gitorch.errors import Incomplete, InvalidInput
from gitorch.flow.planning.model import prompts
from gitorch.flow.planning.model.ask import ALTERNATIVES, SECONDS, ask
from gitorch.flow.planning.model.repository_map import survey
from gitorch.model.naming import Oid, branch_ref
from gitorch.model.outcome import Usage
from gitorch.model.plan import SCHEMA, PlanMessage, PlanProposal, TaskPlan, read_plan, valid
from gitorch.rooms.context import RunContext

ROUNDS = 2


class ModelPlanner:
    """A `Planner` that uses one configured agent with a model. `seconds` bounds each answer."""

    def __init__(self, context: RunContext, agent: str, *, seconds: float = SECONDS) -> None:
        self._context = context
        self._agent = agent
        self._seconds = seconds

    def plan(self, goal: str, constraints: Sequence[str] = ()) -> PlanProposal:
        """Break a goal into tasks. Raises `GitorchError` if the model gives no valid plan."""
        return self._propose(goal, (prompts.opening(goal, constraints),))

    def discuss(self, plan: TaskPlan, conversation: Sequence[PlanMessage], words: str) -> PlanProposal:
        """Answer a user's message with the complete new plan. Raises `GitorchError` as `plan` does."""
        return self._propose(plan.goal, prompts.discussion(plan, conversation, words))

    def _propose(self, goal: str, messages: tuple[Message, ...]) -> PlanProposal:
        valid(TaskPlan(goal=goal))  # the model cannot fix an invalid goal, so do not ask it
        usage: Usage | None = None
        problem = InvalidInput("plan-invalid", "")
        for _ in range(ROUNDS):
            answer = ask(self._context, self._agent, self._question(messages), seconds=self._seconds)
            usage = _sum(usage, answer.outcome.usage)
            try:
                return self._read(goal, answer, usage)
            except InvalidInput as error:
                problem = error
                messages = (*messages, *prompts.correction_request(answer.text, error))
        raise Incomplete(
            "plan-invalid",
            f"{self._agent} was asked twice and gave no usable plan: {problem.what}",
            why=". ".join(part for part in (problem.why, _bill(usage)) if part),
            fix=("rephrase the goal, or split it", *ALTERNATIVES),
        )

    def _read(self, goal: str, answer: Answer, usage: Usage | None) -> PlanProposal:
        if answer.value is None:
            raise InvalidInput("plan-invalid", "the answer is not a JSON object")
        context, value = self._context, answer.value
        model = answer.model if answer.model and answer.model.isprintable() else self._agent
        plan = read_plan(value, goal=goal, made_by=model, roles=context.roles, agents=context.config.agents)
        reply = value.get("reply")
        return PlanProposal(plan=plan, reply=reply if isinstance(reply, str) else "", model=model, usage=usage)

    def _question(self, messages: tuple[Message, ...]) -> Question:
        return Question(instructions=prompts.INSTRUCTIONS, material=self._material, messages=messages, schema=SCHEMA)

    @cached_property
    def _material(self) -> str:
        context = self._context
        repository_map = survey(context.repository, self._commit(), context.config.checks)
        return prompts.material(repository_map, context.roles, context.config.agents)

    def _commit(self) -> Oid | None:
        """Return where tasks without dependencies start: the base, or the integration branch if it is ahead of it."""
        repository, config = self._context.repository, self._context.config
        base = repository.resolve("HEAD" if config.base == "auto" else repository.full_name(config.base))
        merged = repository.read_ref(branch_ref(config.integration))
        return merged if base and merged and repository.is_ancestor(base, merged) else base


def model_planner(context: RunContext, agent: str) -> ModelPlanner:
    """Return the planner that asks the model of a configured agent."""
    return ModelPlanner(context, agent)


def _sum(first: Usage | None, second: Usage | None) -> Usage | None:
    return first + second if first and second else first or second


def _bill(usage: Usage | None) -> str:
    if usage is None:
        return ""
    usd = "" if usage.usd is None else f", ${usage.usd:.2f}"
    return f"It cost {usage.input_tokens + usage.output_tokens} tokens{usd}"
