"""The REST application: routes, limits, replies and the server process."""
