"""Trained networks as what other libraries run."""
