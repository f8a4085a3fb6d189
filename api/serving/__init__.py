"""The collections, rerankers, jobs and settings of a server, without HTTP."""
