"""Comments of a review, as written, sent and answered. The task that they are about is in `model.task`."""
