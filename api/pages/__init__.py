"""The HTML pages: templates, and the values that they show."""
