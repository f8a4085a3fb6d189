"""REST service, search pages and command line."""
