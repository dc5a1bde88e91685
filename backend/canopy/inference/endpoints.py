"""Where a model server's API is, however people paste its address."""

import re
from urllib.parse import urlsplit

# What people copy behind the address: the path of one of the API's routes.
_ROUTE = re.compile(r"/(chat/completions|completions|responses|models|embeddings)\Z")
_VERSION = re.compile(r"/v\d{1,3}(alpha|beta)?\d{0,3}(/|\Z)")
_LLAMA_STACKS_FORMER = "/openai/v1"  # behind `/v1`: where Llama Stack had OpenAI's API before 0.3


def root(url: str) -> str:
    """The address without the API's version, routes, query and slashes at the end: what stands before `/v1`."""
    path, _ = _path(url)
    return _origin(url) + path.removesuffix("/v1" + _LLAMA_STACKS_FORMER).removesuffix("/v1")


def endpoints(url: str) -> tuple[str, ...]:
    """The addresses at which its chat completions may be, the likeliest first.

    Nearly every server has them under `/v1`; some have another version in their path, and then the path is the API's.
    """
    path, route = _path(url)
    if path.endswith("/v1" + _LLAMA_STACKS_FORMER):
        bases = [path.removesuffix(_LLAMA_STACKS_FORMER), path]
    elif path.endswith("/v1"):
        bases = [path]
    elif _VERSION.search(path):  # as Gemini's `/v1beta/openai`: the path is the API's
        bases = [path, f"{path}/v1"]
    else:
        bases = [path, f"{path}/v1"] if route else [f"{path}/v1", path]
    return tuple(f"{_origin(url)}{base}/chat/completions" for base in bases)


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _path(url: str) -> tuple[str, bool]:
    """The path of the API, and whether it was pasted with one of its routes."""
    path = re.sub("/+", "/", urlsplit(url).path).rstrip("/")
    return _ROUTE.sub("", path).rstrip("/"), _ROUTE.search(path) is not None
