"""Which tasks go into a merge, in which order, and as which commits. Nothing here moves a ref."""
