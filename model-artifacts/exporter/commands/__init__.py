"""The commands of `python -m exporter`, one file each."""
