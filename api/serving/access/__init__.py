"""Who may do what: keys, their scopes and filters, and the part of a service that a key sees."""
