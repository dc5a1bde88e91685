"""Values that contradict each other end the render with a sentence that says the way out."""

from pathlib import Path

import pytest

from canopy.config.loading import load_config
from tests.chart.conftest import MINIMAL, find
from tests.support.helm import CHART, Helm, HelmError

PROXY_SECRET = "authProxy.existingSecret.name=proxy"
PROXY = (
    "auth.mode=proxy",
    PROXY_SECRET,
    "authProxy.image=proxy",
    "networkPolicy.enabled=false",
)
OAUTH2 = (*PROXY, "authProxy.kind=oauth2-proxy")
OPENSHIFT = (*PROXY, "authProxy.kind=openshift")
OTHER = (*PROXY, "authProxy.kind=other")
POSTGRESQL = ("store.engine=postgresql", "store.existingSecret.name=db")


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (("replicas=2",), "replicas is 2, but SQLite takes one. Set store.engine to postgresql"),
        (("autoscaling.enabled=true",), "autoscaling.enabled is true, but SQLite takes one replica. Set store.engine"),
        (("store.engine=postgresql",), "store.existingSecret.name is empty. Make a Secret that holds PostgreSQL's URL"),
        (("store.existingSecret.name=db",), "store.engine is sqlite. Set store.engine to postgresql"),
        (
            (*POSTGRESQL, "autoscaling.enabled=true", "autoscaling.minReplicas=9"),
            "autoscaling.minReplicas is larger than autoscaling.maxReplicas. Swap them.",
        ),
        ((*POSTGRESQL, "autoscaling.enabled=true", "autoscaling.targetCpu=0"), "there is nothing to scale by. Set"),
        (
            ("serviceMonitor.enabled=true", "podMonitor.enabled=true"),
            "Prometheus would count all twice. Keep one of them.",
        ),
        (("LLAMA_STACK_URL=null",), "LLAMA_STACK_URL is not set. Set it to the model server's address"),
        (
            ("route.enabled=true", "route.insecurePolicy=Allow", "auth.mode=token", "authTokens.existingSecret.name=t"),
            "route.insecurePolicy is Allow, but auth.mode is token: tokens and cookies would cross the network",
        ),
        (("mlflow.enabled=true",), "mlflow.url is not set. Set it to MLflow's address"),
        (("notifications.enabled=true",), "nothing says where the webhook is. Set notifications.url, or"),
        (
            ("notifications.enabled=true", "notificationsWebhook.existingSecret.name=slack"),
            "the NetworkPolicy would not let Canopy out to it. Set networkPolicy.to.notifications",
        ),
        (("summarize.mlflow_prompt=summary",), "mlflow.enabled is false. Set mlflow.enabled to true"),
        (("feedback.labels[0].name=fine", "feedback.labels[1].name=fine"), "feedback.labels has fine twice."),
        (("feedback.names[0]=tone",), "feedback.names lacks user_satisfaction"),
        (
            ("feedback.names[0]=user_satisfaction", "feedback.names[1]=quality"),
            "feedback.names and judges both have quality. Give the judge a name of its own.",
        ),
        (
            ("judgeRuns.enabled=true",),
            "SQLite's file is for the server's pod alone. Set judging.online to true instead",
        ),
        (("opentelemetry.enabled=true",), "would not let the traces out. Set opentelemetry.endpoint"),
        (("auth.mode=token",), "authTokens.existingSecret.name is empty. Make a Secret that holds the tokens"),
        (("auth.mode=proxy",), "authProxy.existingSecret.name is empty. Make a Secret with the proxy's client id"),
        (("auth.mode=proxy", PROXY_SECRET), "authProxy.image is empty. Name the image of oauth2-proxy"),
        (PROXY, "authProxy.kind is empty. Say which proxy the image is"),
        ((*OPENSHIFT, "auth.reviewer_groups[0]=a"), "OpenShift's oauth-proxy sets no groups and takes none away"),
        ((*OPENSHIFT, "auth.groups_header=X-Forwarded-Groups"), "OpenShift's oauth-proxy sets no groups"),
        ((*OPENSHIFT, "auth.reviewer_emails[0]=a@b"), "OpenShift's oauth-proxy makes e-mail addresses up"),
        ((*OAUTH2, "auth.reviewer_groups[0]=a"), 'oauth2-proxy puts commas between groups. Set it to ","'),
        ((*OAUTH2, "auth.user_header=Remote-User"), "auth.user_header is Remote-User, which the proxy of"),
        ((*OAUTH2, "auth.email_header=X-Auth-Request-Email"), "so that anybody could send it"),
        (
            (*OAUTH2, "auth.groups_header=X-Auth-Request-Groups", "auth.reviewer_groups[0]=a"),
            "auth.groups_header is X-Auth-Request-Groups, which the proxy of authProxy.kind oauth2-proxy neither sets",
        ),
        ((*OPENSHIFT, "auth.user_header=X-Auth-Request-User"), "Set it to one of: x-forwarded-user x-forwarded-email."),
        ((*OAUTH2, "auth.reviewer_users[0]=a@b"), "auth.reviewer_users holds an e-mail address"),
        ((*OTHER, "auth.reviewer_groups[0]=a"), "auth.reviewer_groups is set, but auth.groups_header is empty"),
        ((*OTHER, "auth.reviewer_emails[0]=a@b"), "auth.reviewer_emails is set, but auth.email_header is empty"),
        (("auth.email_header=x-forwarded-user",), "name one header twice. Give each a header of its own."),
        ((*OAUTH2, "authProxy.args[0]=--proxy-websockets"), "--proxy-websockets=true, but the chart has to pass"),
        ((*OPENSHIFT, "authProxy.args[0]=-pass-basic-auth=false"), "has to pass --pass-basic-auth=true. Leave it out"),
        ((*OAUTH2, "authProxy.args[0]=--prefer-email-to-user"), "has to pass --prefer-email-to-user=false"),
        ((*OAUTH2, "authProxy.args[0]=--skip-auth-strip-headers=false"), "has to pass --skip-auth-strip-headers=true"),
        ((*OPENSHIFT, "authProxy.args[0]=--basic-auth-password=x"), "which the chart passes from the Secret"),
        ((*OAUTH2, "authProxy.port=8000"), "authProxy.port is 8000, where the server itself listens"),
        ((*OTHER, "authProxy.port=8001"), "Give the proxy another, such as 4180."),
        (
            (*OPENSHIFT, "auth.user_header=X-Forwarded-Email", "authProxy.args[0]=--htpasswd-file=/people"),
            "whoever signs in by that file has no address, and the proxy would let through the one that the client",
        ),
        (("auth.trusted_proxies[0]=10.1.2.3/8",), "`auth.trusted_proxies.0`: is an address within its network"),
        (
            ("auth.mode=proxy", PROXY_SECRET, "authProxy.image=oauth2-proxy", "authProxy.kind=oauth2-proxy"),
            "would not let the proxy ask who people are. Set networkPolicy.to.identityProvider",
        ),
        (("authTokens.existingSecret.name=tokens",), "auth.mode is open. Set auth.mode to token"),
        (("auth.mode=token", "authTokens.existingSecret.name=tokens", PROXY_SECRET), "Set auth.mode to proxy"),
        (("ingress.enabled=true",), "ingress.hosts is empty. Name at least one host there."),
        (("httpRoute.enabled=true",), "httpRoute.parentRefs is empty. Name the Gateway there."),
        (("extraVolumes[0].name=tmp",), "extraVolumes: tmp is the name of two volumes. Give each a name of its own"),
        (("extraVolumeMounts[0].mountPath=/canopy",), "where the chart mounts a volume itself. Mount yours elsewhere."),
        (("extraEnv[0].name=canopy_host",), "canopy_host, which the chart sets. Use settings.host"),
        (("extraEnv[0].name=CANOPY_LOG_LEVEL",), "CANOPY_LOG_LEVEL, which the chart sets. Use settings.log_level"),
    ],
)
def test_a_contradiction_is_refused_with_the_way_out(each_helm: Helm, settings: tuple[str, ...], sentence: str) -> None:
    with pytest.raises(HelmError) as caught:
        each_helm.render("--values", MINIMAL, *(part for one in settings for part in ("--set", one)))
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    "settings",
    [
        (*POSTGRESQL, "replicas=2"),
        (*POSTGRESQL, "judgeRuns.enabled=true"),
        ("judging.online=true",),
        (*POSTGRESQL, "autoscaling.enabled=true"),
        ("LLAMA_STACK_URL=null", "image.embeddedModel=true"),
        ("ab_testing.enabled=true", "summarize.prompt_b=b"),
        ("opentelemetry.enabled=true", "networkPolicy.enabled=false"),
        ("replicas=0",),
        (
            "ab_testing.enabled=true",
            "summarize.mlflow_prompt=p",
            "mlflow.enabled=true",
            "mlflow.url=http://mlflow:5000",
        ),
        ("auth.mode=token", "authTokens.existingSecret.name=tokens"),
        OPENSHIFT,
        (*OPENSHIFT, "auth.reviewer_users[0]=a@b"),
        (*OAUTH2, "auth.reviewer_groups[0]=a", r"auth.groups_separator=\,"),
        (*OAUTH2, "auth.reviewer_emails[0]=a@b", "authProxy.args[0]=--proxy-websockets=false"),
        (*OAUTH2, "auth.user_header=X-Forwarded-Email"),
        (*OPENSHIFT, "auth.user_header=x-forwarded-Email"),
        (*OTHER, "auth.user_header=Remote-User"),
        (*OPENSHIFT, "authProxy.args[0]=--htpasswd-file=/people"),
        (*OAUTH2, "auth.user_header=X-Forwarded-Email", "authProxy.args[0]=--htpasswd-file=/people"),
        ("authProxy.port=8000",),  # there is none
        (*OTHER, "authProxy.args[0]=--proxy-websockets"),
    ],
)
def test_the_ways_out_are_ways_out(each_helm: Helm, settings: tuple[str, ...]) -> None:
    assert each_helm.render("--values", MINIMAL, *(part for one in settings for part in ("--set", one)))


@pytest.mark.parametrize(
    "settings",
    [
        ("summarize.prompt_b=",),  # as the lab says it: remove the challenger
        ("summarize.prompt_b=  ",),
        ("summarize.prompt=same", "summarize.prompt_b=same"),
        ("summarize.prompt_b=b", "feedback.enabled=false"),
        ("summarize.enabled=false", "feedback.enabled=false"),
        ("summarize.prompt_b=b",),
        ("summarize.model_b=granite",),
        ("summarize.model_b=granite", "summarize.model=granite", "summarize.max_tokens_b=4096"),
        ("summarize.temperature=1", "summarize.temperature_b=1"),
        ("summarize.temperature_b=0",),
        ("summarize.model_b=granite", "LLAMA_STACK_URL=null", "image.embeddedModel=true"),
        ("features.t.prompt=p", "features.t.max_tokens_b=5", "features.t.max_tokens=5", "summarize.enabled=false"),
        ("features.t.prompt=p", "features.t.model_b=llama32", "features.t.model=granite", "summarize.enabled=false"),
    ],
)
def test_a_flag_that_can_not_work_is_off_and_the_notes_say_why(helm: Helm, settings: tuple[str, ...]) -> None:
    """Helm 4's notes: Helm 3 shows none without a cluster. `test_agreement` has the flags of both."""
    given = [part for one in ("ab_testing.enabled=true", *settings) for part in ("--set", one)]
    values: list[str | Path] = ["--values", MINIMAL, *given]
    config = find(helm.render(*values), "ConfigMap")["data"]["canopy-config.yaml"]
    flag = load_config(config.encode()).flags["ab_testing"]
    _, _, notes = helm.run("install", "--dry-run=client", "canopy", CHART, *values).partition("NOTES:")
    assert notes.count("A/B testing is off") == (not flag.on)
    assert flag.on or f"A/B testing is off: {flag.reason}\n" in notes
