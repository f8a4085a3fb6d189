"""A short description of the filter language for OpenAPI, the command line and the search page."""

FILTER_HELP = (
    'Condition on metadata, as JSON: {"year": 1999}, {"year": {"gte": 1990, "lt": 2000}}. '
    "Operators: eq, ne, gt, gte, lt, lte, in, contains, prefix, exists, date. "
    'Combine conditions with {"and": [...]}, {"or": [...]}, {"not": {...}}. Use dots for fields of '
    "nested objects (author.name). `id` and `title` also test the document's own id and title. The "
    "documentation page Filters has the full grammar."
)
