"""Records and SQL of sign-ins and of clients' request counts."""
