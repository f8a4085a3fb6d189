"""What operators see of a server: its description, metrics and traces."""
