"""What `scripts/bench` measures: workers.py is common to all benchmarks, the other files are one subcommand each."""
