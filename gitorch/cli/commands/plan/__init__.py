"""`plan`: a goal becomes tasks that a person has approved."""
