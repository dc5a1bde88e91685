"""Errors of who asks, and of what they may."""

from canopy.base.errors.base import CanopyError


class Unauthenticated(CanopyError):
    """The request carries no valid identity, and this needs one."""

    status = 401
    code = "unauthenticated"


class Forbidden(CanopyError):
    """The identity is known but lacks permission."""

    status = 403
    code = "forbidden"


class CrossOrigin(Forbidden):
    """A page of another origin sent the request with the user's credentials, or by DNS rebinding."""

    code = "cross_origin"


class IdentityRefused(Forbidden):
    """Identity headers came from elsewhere than the proxy, or are ambiguous."""

    code = "identity_refused"


class UserForeign(Forbidden):
    """The body names another user than the authenticated one."""

    code = "user_foreign"


class FeedbackForeign(Forbidden):
    """Somebody else gave this feedback."""

    code = "feedback_foreign"


class ComparisonForeign(Forbidden):
    """Somebody else asked for this comparison."""

    code = "comparison_foreign"
