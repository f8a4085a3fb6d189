"""The errors and values that the client shares with the service."""
