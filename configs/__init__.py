"""The shipped configs, one complete YAML a task."""
