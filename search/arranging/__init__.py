"""What applications ask of a list of hits: an order by fields, facets, groups and boosts."""
