"""The domain model: frozen values and pure functions, no input or output."""
