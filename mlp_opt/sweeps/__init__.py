"""Sweeps: many lanes in few compiled programs."""
