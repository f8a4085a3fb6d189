"""The steps of one search, from the request to a page of hits."""
