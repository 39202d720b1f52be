"""Executions on other machines: a Temporal cluster carries the orders, and each worker runs them as at home."""
