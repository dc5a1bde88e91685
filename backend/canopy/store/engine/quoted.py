"""What a database says of itself."""


class Quoted(str):
    """A cause in the server's own words, which may name hosts and users: for the log and reviewers alone."""

    __slots__ = ()


class Lasting(str):
    """A cause that goes away only when somebody changes something, so that trying again doesn't help."""

    __slots__ = ()
