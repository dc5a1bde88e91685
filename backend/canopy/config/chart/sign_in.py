"""Signing in: tokens, or an OAuth proxy in each pod."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from canopy.config.chart.types import ChartSection, DnsName, ImageName, ObjectList, Resources


class TokensSecret(ChartSection):
    """Refers to the Secret with the file of tokens."""

    name: DnsName = ""
    key: str = Field("tokens.yaml", min_length=1)


class AuthTokens(ChartSection):
    """Defines the section `authTokens`: the tokens of `auth.mode: token`."""

    existing_secret: TokensSecret = TokensSecret()


class ProxySecretRef(ChartSection):
    """Refers to the Secret with the proxy's credentials and the secret that it shares with the server."""

    name: DnsName = ""
    secret_key: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,200}$")] = "proxy-secret"  # noqa: S105 - a key


class AuthProxy(ChartSection):
    """Defines the section `authProxy`: the proxy of `auth.mode: proxy`, in front of the server in each pod."""

    kind: Literal["", "oauth2-proxy", "openshift", "other"] = ""
    image: ImageName = ""
    args: list[str] = Field(
        [
            "--http-address=0.0.0.0:4180",
            "--upstream=http://127.0.0.1:8000",
            "--upstream-timeout=300s",
            "--reverse-proxy=true",
            "--email-domain=*",
        ]
    )
    port: int = Field(4180, ge=1024, le=65535)
    existing_secret: ProxySecretRef = ProxySecretRef()
    extra_volume_mounts: ObjectList = Field([])
    resources: Resources = Resources(requests={"cpu": "10m", "memory": "32Mi"}, limits={"memory": "128Mi"})
