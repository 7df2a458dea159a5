"""One module for each family of commands; each has ``register(app)``. Heavy imports happen inside the functions."""
