"""The commands of `python -m privit`, one file for each group: `register` adds its parsers."""
