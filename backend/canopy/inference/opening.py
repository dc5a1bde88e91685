"""Opens the model server that a URL names, or the embedded one."""

from functools import partial

from canopy.base.settings import Settings
from canopy.inference.embedded import END_TOKEN_BIAS, EmbeddedInference
from canopy.inference.llama_stack import LlamaStackInference
from canopy.inference.protocol import URL_SETTING, Inference


def open_inference(llama_stack_url: str | None, settings: Settings, url_setting: str = URL_SETTING) -> Inference:
    """Return a client of the model server at `llama_stack_url`, or of the embedded model when that is None.

    `url_setting` is the name of the setting that holds the URL; error messages tell people to check it.
    """
    connect = partial(
        LlamaStackInference,
        connect_timeout=settings.model_connect_timeout_seconds,
        first_token_timeout=settings.model_first_token_timeout_seconds,
        token_timeout=settings.model_token_timeout_seconds,
        retries=settings.model_retries,
        reply_timeout=settings.model_reply_timeout_seconds,
    )
    if llama_stack_url:
        return connect(llama_stack_url, url_setting=url_setting)
    return EmbeddedInference(lambda url, key: connect(url, api_key=key, extra_body=END_TOKEN_BIAS))
