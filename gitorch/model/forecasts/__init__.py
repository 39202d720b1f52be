"""Values of forecasts: the conflicts of branches, and the time and cost of a run. How they are made is in `flow`."""
