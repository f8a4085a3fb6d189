"""Citations of an answer: markers in its text, statements, and quotes of the sources."""
