"""Who a request says it comes from."""

from pydantic import TypeAdapter, ValidationError
from starlette.requests import Request

from canopy.api.bodies import Id
from canopy.errors import InputError

_ID: TypeAdapter[str] = TypeAdapter(Id)


def session_id_of(request: Request, in_body: str | None) -> str | None:
    """The session: the body's, else the header's. Raises InputError for a header that is no id."""
    if in_body is not None:
        return in_body
    return header_id(request, "x-session-id")


def header_id(request: Request, name: str) -> str | None:
    """A header that holds an id, or None. Raises InputError when it is empty or over 200 characters."""
    value = request.headers.get(name)
    if value is None:
        return None
    try:
        return _ID.validate_python(value)
    except ValidationError as error:
        raise InputError(f"The header `{name}` must hold 1 to 200 characters.") from error
