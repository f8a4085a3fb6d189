"""The collections, models, jobs and limits of a server, and what every interface calls."""
