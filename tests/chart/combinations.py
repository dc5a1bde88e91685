"""Values files by the hundred, for all that has to say the same of them."""

import json
import random
from collections.abc import Mapping
from typing import Any, cast

from canopy.config.feature_values import EMBEDDED_MODEL_DEFAULTS, MODEL_SERVER_DEFAULTS
from tests.chart.odd_addresses import ADDRESSES, ODD_ADDRESSES

type Document = dict[str, Any]

POSTGRESQL = {"store": {"engine": "postgresql", "existingSecret": {"name": "db"}}}
PROXY = {
    "auth": {"mode": "proxy"},
    "authProxy": {"image": "proxy", "kind": "oauth2-proxy", "existingSecret": {"name": "proxy"}},
    "networkPolicy": {"to": {"identityProvider": "https://sso.example.com"}},
}
TOKENS = {"auth": {"mode": "token"}, "authTokens": {"existingSecret": {"name": "tokens"}}}
GRADES = [{"name": "good", "sentiment": "positive"}, {"name": "poor"}]


def over(document: Document, given: Mapping[str, Any]) -> Document:
    merged = dict(document)
    for key, value in given.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = over(merged[key], value) if both else value
    return merged


def parts(host: str) -> Document:
    return {"store": {"engine": "postgresql", "postgresql": {"host": host}}}


def judges(*names: str) -> Document:
    return {"judges": [{"name": name, "instructions": "Judge.", "labels": GRADES} for name in names]}


def egress(cidr: str) -> Document:
    return {"networkPolicy": {"extraEgress": [{"to": [{"ipBlock": {"cidr": cidr}}]}]}}


def at(path: str, value: Any) -> Document:
    for key in reversed(path.split(".")):
        value = {key: value}
    return cast(Document, value)


def trusted(*networks: str) -> list[Document]:
    return [{"auth": {"trusted_proxies": [network]}} for network in networks]


def extra_object(kind: str, name: str) -> Document:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name}}


# What a file may say of each thing. One of a row goes into a combination, most often the first, which is nothing.
ROWS: list[list[Document]] = [
    [{}, POSTGRESQL, {"store": {"engine": "postgresql"}}, {"store": {"existingSecret": {"name": "db"}}}],
    [
        {},
        parts("db.data.svc"),
        {"store": {"postgresql": {"host": "db"}}},
        over(POSTGRESQL, parts("db")),
        parts("169.254.169.254"),
        parts("fd00::1::2"),
        parts("http://db"),
    ],
    [
        {},
        {"proxy": {"https": "http://proxy.example.com:3128", "no": [".example.org"]}},
        {"proxy": {"https": "http://[fd00::1::2]:3128"}},
        {"networkPolicy": {"to": {"mlflow": "http://[fd00::7]:5000"}}},
        {"proxy": {"http": "http://169.254.169.254:3128"}},
        {"proxy": {"https": "http://0xa9fea9fe"}},
        {"proxy": {"https": "http://user:password@proxy:3128"}},
        {"proxy": {"no": ["a,b"]}},
        {"caBundle": {"configMap": "company-ca"}},
    ],
    [
        {},
        {"replicas": 2, "prices": {"on": {"input": 1e-7, "output": 2}, "gone": None}},
        {"replicas": 0, "prices": {"a/b:8b": {"input": 1, "output": 2, "cached": 1}}},
        {"autoscaling": {"enabled": True}, "prices": {"granite": {"input": -1, "output": 1}}},
        {"autoscaling": {"enabled": True, "minReplicas": 9}, "prices": None},
    ],
    [
        {},
        {"LLAMA_STACK_URL": None},
        {"LLAMA_STACK_URL": None, "image": {"embeddedModel": True}},
        {"LLAMA_STACK_URL": None, "MODEL_URL": "http://ogx-service:8321"},
        {"MODEL_URL": "http://ogx-service:8321"},
    ],
    [{}, {"LLAMA_STACK_URL": "http://169.254.169.254/latest"}, {"LLAMA_STACK_URL": "https://models.example.com:8443"}],
    [{}, {"summarize": {"enabled": False}}, {"summarize": {"enabled": True}}, {"summarize": {"model": "granite"}}],
    [
        {},
        {"summarize": {"prompt_b": "Briefly:"}},
        {"summarize": {"prompt": "One", "prompt_b": "One"}},
        {"summarize": {"prompt_b": "  "}},
        {"summarize": {"prompt_b": MODEL_SERVER_DEFAULTS.prompt}},
        {"summarize": {"prompt_b": EMBEDDED_MODEL_DEFAULTS.prompt}},
        {"summarize": {"model_b": "granite", "temperature_b": None}},
        {"summarize": {"prompt": "One", "prompt_b": "One", "model_b": "granite"}},
        {"summarize": {"temperature": 1, "temperature_b": 1.0, "max_tokens_b": 4096}},
        {"summarize": {"temperature_b": 3, "max_tokens_b": 100, "prompt_b": " "}},
    ],
    [
        {},
        {"features": {"translate": {"prompt": "Translate:", "title": "Translation", "temperature": 1e-7}}},
        {"features": {"translate": {"prompt": "Translate:", "prompt_b": "Into English:", "model": None}}},
        {"features": {"translate": {"prompt": "One", "prompt_b": "One"}, "only": {"prompt": "On", "enabled": False}}},
        {"features": {"translate": {"prompt": "One", "model": "granite", "model_b": "llama32"}}},
        {"features": {"on": {"prompt": "On"}}},
        {"features": {"null": {"prompt": "What:"}}},
        {"features": {"translate": {"prompt": "Translate:", "mlflow_prompt": "translation"}}},
        {
            "features": {
                "translate": None,
                "b": {"prompt": "B", "enabled": False, "prompt_b": "C"},
                "a": {"prompt": "A"},
            }
        },
        {"features": {"translate": {"title": "Translation"}}},
        {"features": {"feedback": {"prompt": "What:"}}},
        {"features": {"translate_chat": {"prompt": "What:"}}},
        {"features": {"Translate": {"prompt": "What:"}}},
        {"features": {"ä" * 41: {"prompt": "What:"}, "b": {"prompt": "B"}}},
        {"features": {f"f{number}": {"prompt": "What:"} for number in range(20)} | {"feedback": None}},
        {"features": {f"f{number}": {"prompt": "What:"} for number in range(21)}},
        {"features": {"translate": {"prompt": " \n"}}},
        {"features": None},
    ],
    [{}, {"feedback": {"enabled": False}}, {"feedback": {"enabled": True}}],
    [{}, {"ab_testing": {"enabled": True}}, {"ab_testing": {"enabled": True}}, {"ab_testing": {"enabled": False}}],
    [
        {},
        {"mlflow": {"enabled": True}},
        {"mlflow": {"enabled": True, "url": "http://mlflow:5000"}},
        {"mlflow": {"url": "http://metadata.google.internal"}},
    ],
    [{}, {"summarize": {"mlflow_prompt": "summary"}}],
    [
        {},
        {"notifications": {"enabled": True}},
        {"notifications": {"enabled": True, "url": "http://relay.chat.svc/hooks/canopy"}},
        {"notifications": {"enabled": True}, "notificationsWebhook": {"existingSecret": {"name": "slack"}}},
        {"notifications": {"url": "https://hooks.slack.com/?token=s3cret"}},
        {"notifications": {"events": ["decided", "boring"]}},
    ],
    [
        {},
        {"feedback": {"names": ["tone"]}},
        {"feedback": {"names": ["user_satisfaction", "quality"]}},
        {"feedback": {"names": ["user_satisfaction", "user_satisfaction"]}},
        {"feedback": {"names": ["user_satisfaction", "ab_preference"]}},
    ],
    [{}, {"feedback": {"labels": [{"name": "fine"}, {"name": "fine"}]}}, {"feedback": {"labels": [{"name": "fine"}]}}],
    [
        {},
        judges("tone", "tone"),
        judges("tone"),
        judges("satisfaction_score"),
        {"judges": []},
        {"judges": [{"name": "tone", "instructions": "Judge.", "labels": GRADES[:1] * 2}]},
    ],
    [
        {},
        POSTGRESQL | {"autoscaling": {"enabled": True, "targetCpu": 0}},
        POSTGRESQL | {"autoscaling": {"enabled": True, "targetCpu": 0, "targetQueued": 1}},
        {"autoscaling": {"behavior": {"scaleSideways": {}}}},
        {"serviceMonitor": {"enabled": True}, "podMonitor": {"enabled": True}},
        {"podMonitor": {"enabled": True, "limits": {"sampleLimit": 5000}}},
        {"serviceMonitor": {"enabled": True, "limits": {"sampleLimits": 5000}}},
    ],
    [{}, {"judgeRuns": {"enabled": True}}, {"judging": {"online": True}}],
    [
        {},
        {"backup": {"enabled": True}},
        POSTGRESQL | {"backup": {"enabled": True}},
        POSTGRESQL | {"backup": {"enabled": True, "image": "postgresql:18"}},
        {"backup": {"enabled": True}, "store": {"persistence": {"enabled": False}}},
        {"backup": {"enabled": True}, "store": {"persistence": {"accessMode": "ReadWriteOncePod"}}},
        {"backup": {"enabled": True, "copies": 0}},
    ],
    [
        {},
        {"opentelemetry": {"enabled": True}},
        {"opentelemetry": {"endpoint": "http://169.254.169.254:4317"}},
        {"opentelemetry": {"enabled": True, "endpoint": "http://collector.tracing.svc:4317"}},
    ],
    [
        {},
        {"networkPolicy": {"enabled": False}},
        egress("169.254.169.254/32"),
        egress("fd00:ec2::254/128"),
        egress("10.0.0.256/32"),
        egress("fd00::1::2/128"),
        egress("::ffff:169.254.169.254/128"),
        egress("::ffff:a9fe:a9fe/128"),
        egress("10.0.0.0/8"),
    ],
    [
        {},
        PROXY,
        PROXY,
        {"auth": {"mode": "proxy"}},
        {"authProxy": {"existingSecret": {"name": "proxy"}}},
        {"auth": {"mode": "token"}},
        TOKENS,
        {"authTokens": {"existingSecret": {"name": "tokens"}}},
        {"auth": {"mode": "open"}},
    ],
    [{}, {"authProxy": {"kind": "openshift"}}, {"authProxy": {"kind": "other"}}, {"authProxy": {"image": "another"}}],
    [
        {},
        {"auth": {"reviewer_groups": ["a"]}},
        {"auth": {"reviewer_groups": ["a"], "groups_separator": ","}},
        {"auth": {"reviewer_emails": ["a@b"]}},
        {"auth": {"reviewer_users": ["a@b"]}},
    ],
    [
        {},
        {"auth": {"user_header": "Remote-User"}},
        {"auth": {"email_header": "X-Forwarded-User"}},
        {"auth": {"groups_header": "X-Forwarded-Groups"}},
        {"auth": {"user_header": "X-Forwarded-Email"}},
    ],
    [
        {},
        {"authProxy": {"args": ["--proxy-websockets"]}},
        {"authProxy": {"args": ["-basic-auth-password=x"]}},
        {"authProxy": {"args": ["--pass-basic-auth=true", "plain"]}},
        {"authProxy": {"args": ["--htpasswd-file=/etc/auth-proxy/people"]}},
        {
            "authProxy": {"args": ["-htpasswd-file", "/etc/auth-proxy/people"]},
            "auth": {"user_header": "x-forwarded-EMAIL"},
        },
        {"authProxy": {"port": 8000}},
        {"authProxy": {"port": 8001}},
    ],
    [
        {},
        *trusted("10.1.2.3/8", "10.1.2.3/32", "10.0.0.0/8", "0.0.0.0/0", "10.0.0.04", "10.0.0.0/0"),
        *trusted("fd00::/8", "fd00::1/8", "::1", "::", "1:2", "::1::", ":::", "1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:8:"),
        *trusted("::ffff:10.0.0.0/104", "::ffff:a00:0/104", "::10.1.2.3", "FD00:0:0::/48", "::/0", "1:2:3:4:5:6:7:8::"),
    ],
    [
        {},
        {"route": {"enabled": True}},
        {"route": {"enabled": True, "insecurePolicy": "Allow"}},
        {"route": {"enabled": True, "insecurePolicy": "Allow"}} | TOKENS,
    ],
    [{}, {"ingress": {"enabled": True}}, {"ingress": {"enabled": True, "hosts": ["canopy.example.com"]}}],
    [{}, {"httpRoute": {"enabled": True}}, {"httpRoute": {"enabled": True, "parentRefs": [{"name": "gateway"}]}}],
    [{}, {"extraEnv": [{"name": "CANOPY_LOG_LEVEL", "value": "debug"}]}, {"extraEnv": [{"name": "A", "value": "b"}]}],
    [
        {},
        {"initContainers": [{"name": "wait", "image": "busybox"}], "extraContainers": [{"name": "wait", "image": "b"}]},
        {"extraContainers": [{"name": "canopy", "image": "b"}]},
        {"extraContainers": [{"name": "logs", "image": "b", "securityContext": {"privileged": True}}]},
        {"extraContainers": [{"name": "logs", "image": "b", "securityContext": {"readOnlyRootFilesystem": False}}]},
        {"extraVolumes": [{"name": "config", "emptyDir": {}}]},
        {"extraVolumeMounts": [{"name": "mine", "mountPath": "/tmp/"}]},  # noqa: S108 - in a container
        {
            "extraVolumes": [{"name": "mine", "emptyDir": {}}],
            "extraVolumeMounts": [{"name": "mine", "mountPath": "/m"}],
        },
        {"extraObjects": [extra_object("ConfigMap", "canopy-config")]},
        {"extraObjects": [extra_object("Secret", "db") | {"stringData": {"password": "s3cret"}}]},
        {"extraObjects": [extra_object("Secret", "db"), extra_object("Service", "mine")]},
        {"extraObjects": [{"kind": "ConfigMap"}]},
        {"envFrom": [{"secretRef": {"name": "more"}}]},
        {"envFrom": [{"secretRef": {"name": "more"}, "configMapRef": {"name": "more"}}]},
        {"metadata": {"Service/canopy-backend": {"annotations": {"a": "b"}}}},
        {"metadata": {"Node": {"annotations": {"a": "b"}}}},
    ],
    [{}, {"settings": {"log_level": "loud"}}, {"settings": {"log_level": "debug"}}, {"settings": {"grace": 1}}],
    [
        {},
        {"summarization": {"model": "granite", "prompt_b": "Briefly:", "max_tokens": 1_000_000}},
        {"summarization": {"enabled": False, "prompt_b": ""}, "summarize": {"enabled": True}},
        {"summarization": {"model": "granite"}, "summarize": {"model": "llama33"}},
        {"summarization": {"endpoint": "http://granite-predictor.models.svc:8080/v1"}, "LLAMA_STACK_URL": None},
        {"summarization": {"endpoint": "http://granite-predictor.models.svc:8080/v1"}},
        {"summarization": {"endpoint": "http://169.254.169.254/v1"}, "LLAMA_STACK_URL": None},
        {"summarization": {"mlflow_prompt": "summarization"}},
        {"summarization": {"prompt": " "}},
        {"summarization": {"temprature": 1}},
        {"summarization": None},
        {"summarization": {}},
    ],
    [
        {},
        {"information-search": {"enabled": True, "vector_db_id": "latest"}, "student-assistant": {"enabled": True}},
        {"shields": {"enabled": True, "input_shields": ["hap"]}, "socratic-tutor": None},
        {"shields": ["hap"], "MLFLOW_TRACKING_URI": "https://mlflow.example.com", "socratic-tutor": {}},
        {"information_search": {"enabled": True}},
    ],
    [{}, {"image": {"tag": None}}, {"image": {"tag": 1}}, {"sumarize": {"enabled": True}}, {"networkPolicy": None}],
]
OTHER_NAMES: dict[str, Document] = {key: {"LLAMA_STACK_URL": None} for key in ("summarization.endpoint", "MODEL_URL")}
NO_LISTS: list[Any] = [None, [], [None], {}, ""]
NO_SECTIONS: list[Any] = [{"x": 1}, {}, []]
ODD: list[Document] = [
    *(at("LLAMA_STACK_URL", address) for address in ODD_ADDRESSES),
    *(
        over(OTHER_NAMES.get(path := ADDRESSES[number % len(ADDRESSES)], {}), at(path, address))
        for number, address in enumerate(ODD_ADDRESSES)
    ),
    *(at("extraEnv", [{"name": "X", "value": value}]) for value in (9, True, 5e7, "9", None, [9], {"a": 9})),
    *(at("extraEnv", [variable]) for variable in ({}, {"name": None}, {"name": 9}, {"name": "X", "valueFrom": {}})),
    *({"judges": those} for those in NO_LISTS),
    *({"global": those} for those in NO_SECTIONS),
    at("resources.limits", None),
    at("resources.limits.memory", None),
    at("summarize.prompt", "a\0b"),
    *(
        {"features": {"translate": {"prompt": "T:", "title": title}}}
        for title in ("\u200b", "x\u2028y", "\u202egnp", "要約", "x\n")
    ),
    {"ab_testing": {"enabled": True}, "summarize": {"prompt_b": None}},
    # Rows have these beside other contradictions alone, of which the chart tells the first.
    over(POSTGRESQL, {"autoscaling": {"enabled": True, "minReplicas": 5, "maxReplicas": 2}}),
    *(over(PROXY, at(path, "")) for path in ("authProxy.image", "authProxy.kind", "networkPolicy.to.identityProvider")),
]
ARGO_CD = {"repo_url": "https://git.example.com/a.git", "chart_path": "helm/canopy", "target_revision": "main"}


def combinations() -> list[Document]:
    """Everything that a row has, alone; each way to name people with it; and some hundreds drawn by a fixed seed.

    Each of them once.
    """
    base: Document = ARGO_CD | {"LLAMA_STACK_URL": "http://llama-stack-service:8321"}
    alone = [over(base, part) for row in [[{}, *ODD], *ROWS] for part in row[1:]]
    openshift = over(PROXY, {"authProxy": {"kind": "openshift"}})
    other = over(PROXY, {"authProxy": {"kind": "other"}})
    signing_in = [row for row in ROWS if "trusted_proxies" not in str(row) and any("auth" in part for part in row)]
    behind = [
        over(over(base, proxy), part) for proxy in (PROXY, openshift, other) for row in signing_in for part in row
    ]
    draw = random.Random(12)
    drawn = []
    for _ in range(160):
        parts: Document = base
        for row in draw.sample(ROWS, draw.randint(2, 9)):
            parts = over(parts, draw.choice(row))
        drawn.append(parts)
    return list({json.dumps(one): one for one in alone + behind + drawn}.values())
