"""What programs read: values turned into the fields of the promised JSON answers."""
