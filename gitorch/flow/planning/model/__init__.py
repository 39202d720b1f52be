"""Planning with a model: the repository map, the question, and the plan read from the answer."""

from gitorch.flow.planning.model.ask import ask
from gitorch.flow.planning.model.planner import ModelPlanner, model_planner
from gitorch.flow.planning.model.repository_map import survey

__all__ = ["ModelPlanner", "ask", "model_planner", "survey"]
