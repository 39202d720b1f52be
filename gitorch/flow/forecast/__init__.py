"""The conflict forecast: which branches will conflict, and the background worker that keeps it up to date."""
