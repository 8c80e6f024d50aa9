"""Training: objectives, optimisers, the loop and its resumable state."""
