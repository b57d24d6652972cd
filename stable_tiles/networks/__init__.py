"""Networks as torch modules; they never see a path or a setting file."""
