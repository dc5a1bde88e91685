"""Who a request comes from: whom Canopy knows, else whom the request names."""

from pydantic import TypeAdapter, ValidationError
from starlette.requests import Request

from canopy.api.access import identity_of
from canopy.api.bodies import Id
from canopy.base.errors import InputError, UserForeign
from canopy.store.keys import Proof

_ID: TypeAdapter[str] = TypeAdapter(Id)


def session_id_of(request: Request, in_body: str | None) -> str | None:
    """The session: the body's, else the header's. Raises InputError for a header that is no id."""
    if in_body is not None:
        return in_body
    return header_id(request, "x-session-id")


def owning_session_id_of(request: Request, in_body: str | None) -> str | None:
    """The session that a comparison belongs to: none where the comparison belongs to a user whom Canopy knows."""
    session_id = session_id_of(request, in_body)
    return None if identity_of(request.scope) else session_id


def user_id_of(request: Request, in_body: str | None) -> str | None:
    """The user: whom Canopy knows, else whom the body names. Raises UserForeign when these are two."""
    identity = identity_of(request.scope)
    if identity is None:
        return in_body
    if in_body not in {None, identity.user}:
        raise UserForeign("`user_id` names somebody else. Leave it out: Canopy knows who asks.")
    return identity.user


def proof_in(request: Request) -> Proof | None:
    """What vouches for `user_id_of`; None where the body alone does."""
    identity = identity_of(request.scope)
    return identity.proof if identity else None


def header_id(request: Request, name: str) -> str | None:
    """A header that holds an id, or None. Raises InputError when it is empty or over 200 characters."""
    value = request.headers.get(name)
    if value is None:
        return None
    try:
        return _ID.validate_python(value)
    except ValidationError as error:
        raise InputError(f"The header `{name}` must hold 1 to 200 characters.") from error
