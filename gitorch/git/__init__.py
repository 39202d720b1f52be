"""How git is spoken to: knows commits and refs, not tasks."""
