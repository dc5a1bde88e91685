"""Finds a model server's API from its address, however people paste that."""

import re
from urllib.parse import urlsplit

# People paste the URL of one of the API's routes.
_ROUTE = re.compile(r"/(chat/completions|completions|responses|models|embeddings)\Z")
_VERSION = re.compile(r"/v\d{1,3}(alpha|beta)?\d{0,3}(/|\Z)")
_LLAMA_STACKS_FORMER = "/openai/v1"  # under `/v1`: where Llama Stack served OpenAI's API before 0.3


def root(url: str) -> str:
    """Return the URL up to the API's version: without `/v1`, routes, query and trailing slashes."""
    path, _ = _path(url)
    return _origin(url) + path.removesuffix("/v1" + _LLAMA_STACKS_FORMER).removesuffix("/v1")


def endpoints(url: str) -> tuple[str, ...]:
    """Return the base URLs at which chat completions may be served, the likeliest first.

    Nearly every server serves them under `/v1`; where the path names another version, that path is the API's.
    """
    path, route = _path(url)
    if path.endswith("/v1" + _LLAMA_STACKS_FORMER):
        bases = [path.removesuffix(_LLAMA_STACKS_FORMER), path]
    elif path.endswith("/v1"):
        bases = [path]
    elif _VERSION.search(path):  # such as Gemini's `/v1beta/openai`
        bases = [path, f"{path}/v1"]
    else:
        bases = [path, f"{path}/v1"] if route else [f"{path}/v1", path]
    return tuple(f"{_origin(url)}{base}/chat/completions" for base in bases)


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _path(url: str) -> tuple[str, bool]:
    """Return the path of the API, and whether the URL ended with one of its routes."""
    path = re.sub("/+", "/", urlsplit(url).path).rstrip("/")
    return _ROUTE.sub("", path).rstrip("/"), _ROUTE.search(path) is not None
