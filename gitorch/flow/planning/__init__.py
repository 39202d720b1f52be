"""Planning: a goal as a graph of tasks, by a model or by heuristics."""
