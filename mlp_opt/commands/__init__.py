"""What the commands do once their arguments are parsed; cli.py imports each when it is called."""
