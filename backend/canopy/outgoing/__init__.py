"""Makes the HTTP clients for other servers, in one place for all of Canopy.

It reads the environment's shared variables for proxies and certificates on behalf of every library: each library reads
only some of them, in its own way, and fails at its first request where it can't.
"""
