"""How often reality lies within the forecast of a run: nights that were recorded, and nights of a seeded generator.

    python -m tests.bench.quantiles                  # generated nights
    python -m tests.bench.quantiles --real 6         # and six nights of real runs, with a shell as the agent
    python -m tests.bench.quantiles --repository DIR # and the tasks that a repository knows, in the order of their work

Each night is forecast from the nights before it. "range" counts the nights whose time lies within the forecast (it
should hold for 8 of 10), "in time" the tasks that took no longer than the time by which `run --until` decides (8 of
10).
"""

from __future__ import annotations

import argparse
import random
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path

import msgspec

from gitorch.model.forecasts.run_forecast import Expectations, NextTask, PastTask, TaskSize, forecast, makespan, size_of
from gitorch.model.naming import TaskId
from gitorch.model.task import Task
from gitorch.services.open import open_workspace
from tests.bench.night import sealed
from tests.support.cli import Cli, does, saved
from tests.support.git import standard

AGENTS = 3
NIGHTS, TASKS, HISTORIES = 12, 12, 40
_TIMEOUT = 5_400.0

Night = Sequence[PastTask]
Draw = Callable[[random.Random, int], PastTask]
Draws = Callable[[random.Random], Sequence[Night]]


class Coverage(msgspec.Struct):
    """Counts of nights and of tasks, and of those that were as the forecast said."""

    nights: int = 0
    nights_within: int = 0
    tasks: int = 0
    tasks_in_time: int = 0

    def add(self, history: Sequence[Night]) -> None:
        """Count the nights of a repository, each forecast from the earlier ones."""
        past: list[PastTask] = []
        for number, night in enumerate(history):
            night = [msgspec.structs.replace(task, night=number) for task in night]
            names = [TaskId(f"t{place}") for place in range(len(night))]
            tasks = [_next(name, task) for name, task in zip(names, night, strict=True)]
            if result := forecast(past, tasks, AGENTS):
                seconds = makespan(tasks, {name: task.seconds for name, task in zip(names, night, strict=True)}, AGENTS)
                self.nights += 1
                self.nights_within += result.seconds.low <= seconds <= result.seconds.high
            expectations = Expectations(past)
            for task, actual in zip(tasks, night, strict=True):
                if (expected := expectations.seconds(task)) is not None:
                    self.tasks += 1
                    self.tasks_in_time += actual.seconds <= expected
            past += night

    def row(self, name: str) -> str:
        """Return a line of the table."""
        nights, tasks = _percent(self.nights_within, self.nights), _percent(self.tasks_in_time, self.tasks)
        return f"| {name} | {self.nights} | {nights} | {self.tasks} | {tasks} |"


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--histories", type=int, default=HISTORIES, help="generated repositories of each kind")
    parser.add_argument("--real", type=int, default=0, metavar="NIGHTS")
    parser.add_argument("--repository", type=Path, action="append", default=[])
    options = parser.parse_args()
    print("| nights of | nights | range | tasks | in time |")
    print("|---|---|---|---|---|")
    for name, draw in KINDS.items() if options.histories else ():
        generator, coverage = random.Random(f"{options.seed} {name}"), Coverage()
        for _ in range(options.histories):
            coverage.add(draw(generator))
        print(coverage.row(name), flush=True)
    if options.real:
        with tempfile.TemporaryDirectory() as folder:
            sealed(Path(folder))
            print(_recorded(_real_nights(Path(folder), options.real, options.seed)).row("real runs, a shell as agent"))
    for folder in options.repository:
        print(_recorded(folder).row(folder.name))


def _independent(draw: Draw, nights: int = NIGHTS, tasks: int = TASKS) -> Draws:
    return lambda generator: [[draw(generator, night) for _ in range(tasks)] for night in range(nights)]


def _steady(generator: random.Random, _night: int) -> PastTask:
    return _task(generator.lognormvariate(6.3, 0.7))


def _roles(generator: random.Random, _night: int) -> PastTask:
    role, middle = generator.choice([("tester", 5.5), ("backend", 6.5), ("docs", 4.8)])
    return _task(generator.lognormvariate(middle, 0.5), role=role)


def _slower(generator: random.Random, night: int) -> PastTask:
    return _task(generator.lognormvariate(6.3, 0.7) * 1.1**night)


def _hanging(generator: random.Random, _night: int) -> PastTask:
    return _task(_TIMEOUT if generator.random() < 0.05 else generator.lognormvariate(6.3, 0.7))


def _new_model(generator: random.Random, night: int) -> PastTask:
    return _task(generator.lognormvariate(6.3 if night < NIGHTS // 2 else 5.3, 0.7))


def _heavy_tailed(generator: random.Random, _night: int) -> PastTask:
    return _task(120 * generator.paretovariate(1.3))


def _scattered(generator: random.Random, _night: int) -> PastTask:
    return _task(generator.lognormvariate(6.0, 1.0))


def _correlated(spread: float, nights: int = NIGHTS, tasks: int = TASKS) -> Draws:
    """Return nights that are slower or faster as a whole."""

    def draws(generator: random.Random) -> list[list[PastTask]]:
        levels = [generator.gauss(6.3, spread) for _ in range(nights)]
        return [[_task(generator.lognormvariate(level, 0.6)) for _ in range(tasks)] for level in levels]

    return draws


KINDS: dict[str, Draws] = {
    "tasks of one kind": _independent(_steady),
    "three roles that differ": _independent(_roles),
    "tasks that take a tenth longer every night": _independent(_slower),
    "one task in twenty that hangs until its time limit": _independent(_hanging),
    "an agent that is 2.7 times as fast from the middle on": _independent(_new_model),
    "a heavy tail (Pareto, 1.3)": _independent(_heavy_tailed),
    "nights that differ by a fifth as a whole": _correlated(0.2),
    "nights that differ by two fifths as a whole": _correlated(0.4),
    "3 nights of 6 tasks": _independent(_steady, 3, 6),
    "6 nights of 3 tasks that differ much": _independent(_scattered, 6, 3),
    "4 nights of 6 tasks, different as a whole": _correlated(0.4, 4, 6),
}


def _real_nights(folder: Path, nights: int, seed: int) -> Path:
    """Run nights whose tasks wait for as long as a generator says; the records are those of any run."""
    generator = random.Random(seed)
    repository = standard(folder / "repository")
    cli = Cli(repository)
    cli.environment["GITORCH_SANDBOX_MODE"] = "off"
    for night in range(nights):
        for number in range(TASKS):
            name, seconds = f"{night}-{number}", generator.lognormvariate(0, 0.6)
            cli.queue(does(f"Work {name}", f"sleep {seconds:.2f}", saved(name, "x")))
        cli.run("--max-agents", str(AGENTS))
    return repository


def _recorded(folder: Path) -> Coverage:
    """Return the coverage of the tasks on a board; a dozen of them, in the order of their numbers, are a night."""
    tasks = sorted(_with_times(open_workspace(folder).tasks.values()), key=lambda pair: pair[0])
    nights = [[task for _, task in group] for _, group in groupby(tasks, key=lambda pair: pair[0])]
    coverage = Coverage()
    coverage.add(nights)
    return coverage


def _with_times(tasks: Iterable[Task]) -> Iterator[tuple[int, PastTask]]:
    for task in tasks:
        attempts = [*task.past, *((task.attempt,) if task.attempt else ())]
        seconds = sum(attempt.seconds or 0.0 for attempt in attempts)
        if attempts and seconds:
            size = size_of(task.spec.prompt)
            past = PastTask(agent=attempts[-1].agent, role=task.spec.role, size=size, seconds=seconds)
            yield (task.number - 1) // TASKS, past


def _task(seconds: float, role: str = "tester") -> PastTask:
    seconds = min(seconds, _TIMEOUT)
    return PastTask(agent="claude", role=role, size=TaskSize.SMALL, seconds=seconds, usd=seconds / 300)


def _next(name: TaskId, task: PastTask) -> NextTask:
    return NextTask(id=name, agent=task.agent, role=task.role, size=task.size)


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.0f} %" if whole else "-"


if __name__ == "__main__":
    main()
