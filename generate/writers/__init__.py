"""Writers: parts that turn a question and numbered sources into the text of an answer."""
