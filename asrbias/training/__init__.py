"""Training of the base encoder: data, losses, the loop."""
