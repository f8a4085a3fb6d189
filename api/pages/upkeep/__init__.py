"""The values that the pages for collections, documents, jobs, keys and the status show."""
