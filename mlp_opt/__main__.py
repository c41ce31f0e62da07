"""python -m mlp_opt is mlp-opt."""

from .cli import run

if __name__ == "__main__":
    run()
