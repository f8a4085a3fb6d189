"""The filter language in a few words, for OpenAPI, the command line and the search page."""

FILTER_HELP = (
    'Condition on metadata, as JSON: {"year": 1999}, {"year": {"gte": 1990, "lt": 2000}}. '
    "Operators: eq, ne, gt, gte, lt, lte, in, contains, prefix, exists, date; "
    '{"and": [...]}, {"or": [...]}, {"not": {...}}. Dots reach into objects (author.name); id and '
    "title are those of the document. The documentation page Filters has the full grammar."
)
