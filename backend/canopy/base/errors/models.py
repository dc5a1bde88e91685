"""Errors of the model server, and of the connection to it."""

from canopy.base.errors.base import CanopyError


class ModelError(CanopyError):
    """The model server failed."""

    status = 502
    code = "model_error"


class ModelUnreachable(ModelError):
    """The model server can't be connected to."""

    status = 503
    code = "model_unreachable"


class ModelBusy(ModelError):
    """The model server refuses more work for now."""

    status = 503
    code = "model_busy"


class ModelNotFound(ModelError):
    """The model server doesn't have the configured model."""

    code = "model_not_found"


class MaxTokensRefused(ModelError):
    """The model server allows no answer of the requested length."""


class ModelTimeout(ModelError):
    """The model server was silent for too long."""

    status = 504
    code = "model_timeout"


class ModelReplyEmpty(ModelError):
    """The model's reply has no text."""

    code = "model_reply_empty"


class ModelContentFiltered(ModelError):
    """A content filter of the model server refused the text or stopped the answer."""

    code = "model_content_filtered"


class ModelReplyTruncated(ModelError):
    """The model's reply broke off."""

    code = "model_reply_truncated"
