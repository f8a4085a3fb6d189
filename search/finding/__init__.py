"""One search, from the request to the hits of a page."""
