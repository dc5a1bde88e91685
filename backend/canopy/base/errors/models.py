"""The errors of a model server, and of the way to it."""

from canopy.base.errors.base import CanopyError


class ModelError(CanopyError):
    """The model server failed."""

    status = 502
    code = "model_error"


class ModelUnreachable(ModelError):
    """No connection to the model server."""

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
    """The model server allows no answer of that length."""


class ModelTimeout(ModelError):
    """The model server was silent for too long."""

    status = 504
    code = "model_timeout"


class ModelReplyEmpty(ModelError):
    """The model answered without a word."""

    code = "model_reply_empty"


class ModelContentFiltered(ModelError):
    """A filter at the model server refused the text, or stopped the answer to it."""

    code = "model_content_filtered"


class ModelReplyTruncated(ModelError):
    """The model's reply broke off."""

    code = "model_reply_truncated"
