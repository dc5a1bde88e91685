"""Keeps sign-ins and clients' request counts."""
