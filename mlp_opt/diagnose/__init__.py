"""Checks of the mathematics: gradients against jax.grad, optimizers against optax and the notes."""
