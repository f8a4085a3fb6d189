"""Adapters for LangChain, LlamaIndex and Haystack. Each is a package of its own, such as
`twindex.integrations.langchain`, and needs the extra of the same name.

The adapters accept a local collection and the collections of the REST clients, so an application
changes one line to move from one to the other.
"""
