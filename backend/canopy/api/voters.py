"""The user and the session that a request comes from: as authenticated, or else as the request says."""

from pydantic import TypeAdapter, ValidationError
from starlette.requests import Request

from canopy.api.access import identity_of
from canopy.api.bodies import Id
from canopy.base.errors import InputError, UserForeign
from canopy.store.keys import Proof

_ID: TypeAdapter[str] = TypeAdapter(Id)


def session_id_of(request: Request, in_body: str | None) -> str | None:
    """Return the session in the body, else in the header. Raises InputError for a header that is no id."""
    if in_body is not None:
        return in_body
    return header_id(request, "x-session-id")


def owning_session_id_of(request: Request, in_body: str | None) -> str | None:
    """Return the session that a comparison belongs to; None if it belongs to an authenticated user."""
    session_id = session_id_of(request, in_body)
    return None if identity_of(request.scope) else session_id


def user_id_of(request: Request, in_body: str | None) -> str | None:
    """Return the authenticated user, else the one in the body. Raises UserForeign if both are given and differ."""
    identity = identity_of(request.scope)
    if identity is None:
        return in_body
    if in_body not in {None, identity.user}:
        raise UserForeign("`user_id` names somebody else. Leave it out: Canopy knows who asks.")
    return identity.user


def proof_in(request: Request) -> Proof | None:
    """Return how the user was authenticated; None if only the body names the user."""
    identity = identity_of(request.scope)
    return identity.proof if identity else None


def header_id(request: Request, name: str) -> str | None:
    """Return the id in a header, or None. Raises InputError unless it has 1 to 200 characters."""
    value = request.headers.get(name)
    if value is None:
        return None
    try:
        return _ID.validate_python(value)
    except ValidationError as error:
        raise InputError(f"The header `{name}` must hold 1 to 200 characters.") from error
