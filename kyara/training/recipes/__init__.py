"""The recipes of training, one module each; none knows another."""
