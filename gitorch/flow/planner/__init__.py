"""Planning by a model: a map of the repository, the question, and what is made of the answer."""

from gitorch.flow.planner.asking import ask
from gitorch.flow.planner.planner import ModelPlanner, model_planner
from gitorch.flow.planner.survey import survey

__all__ = ["ModelPlanner", "ask", "model_planner", "survey"]
