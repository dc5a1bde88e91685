"""The model server: one protocol, one client, an embedded server for trying."""

from functools import partial

from canopy.base.settings import Settings
from canopy.inference.embedded import LEANING, EmbeddedInference
from canopy.inference.llama_stack import LlamaStackInference
from canopy.inference.protocol import ADDRESS, Inference

__all__ = ["open_inference"]


def open_inference(llama_stack_url: str | None, settings: Settings, address: str = ADDRESS) -> Inference:
    """The model server at a URL, which comes from the setting `address`; without one, the embedded model."""
    connect = partial(
        LlamaStackInference,
        connect_timeout=settings.model_connect_timeout,
        first_token_timeout=settings.model_first_token_timeout,
        token_timeout=settings.model_token_timeout,
        retries=settings.model_retries,
        reply_timeout=settings.model_reply_timeout,
    )
    if llama_stack_url:
        return connect(llama_stack_url, address=address)
    return EmbeddedInference(lambda url, key: connect(url, api_key=key, besides=LEANING))
