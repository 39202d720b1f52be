"""What happens to a task: one module for each stage; no stage knows another."""
