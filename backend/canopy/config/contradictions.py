"""Values that contradict each other, each with the sentence that says how to resolve it.

The server, the chart (`templates/_checks.tpl`) and `canopy check-values` refuse the same values with the same
sentences; a test runs generated values through all three. A capability that merely lacks something is not refused: its
flag is off (`canopy.config.flags`).
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from canopy.base.errors import ConfigError
from canopy.config.access import AuthValues
from canopy.config.values import SATISFACTION, Values

type SentenceArguments = list[tuple[object, ...]]
"""The arguments of a sentence's placeholders, one tuple for each occurrence of the contradiction."""


@dataclass(frozen=True, slots=True)
class Contradiction[V: Values]:
    """A check with its sentence.

    `occurrences` returns whether the values have the contradiction or, if they can have it several times, the arguments
    of the sentence's placeholders for each time.
    """

    occurrences: Callable[[V], bool | Iterable[tuple[object, ...]]]
    sentence: str

    def sentences(self, values: V) -> list[str]:
        """Return one sentence for each occurrence in these values."""
        occurrences = self.occurrences(values)
        if isinstance(occurrences, bool):
            return [self.sentence] * occurrences
        return [self.sentence.format(*arguments) for arguments in occurrences]


def refuse_contradictions[V: Values](values: V, *tables: Iterable[Contradiction[V]]) -> None:
    """Raise ConfigError, with all their sentences, if the values have any of these contradictions."""
    if sentences := [text for table in tables for one in table for text in one.sentences(values)]:
        raise ConfigError(" ".join(sentences))


def _judges_named_like_votes(values: Values) -> SentenceArguments:
    return [(judge.name,) for judge in values.judges if judge.name in values.feedback.names]


def _named_twice(values: Values) -> SentenceArguments:
    lists = {
        "feedback.labels": [label.name for label in values.feedback.labels],
        "judges": [judge.name for judge in values.judges],
    } | {f"judges.{judge.name}.labels": [label.name for label in judge.labels] for judge in values.judges}
    return [(where, name) for where, names in lists.items() for name, times in Counter(names).items() if times > 1]


def _registered_prompts_without_mlflow(values: Values) -> SentenceArguments:
    blocks = {"summarize": values.summarize} | {f"features.{name}": it for name, it in sorted(values.features.items())}
    return [(section,) for section, block in blocks.items() if block.mlflow_prompt and not values.mlflow.enabled]


def _headers(auth: AuthValues) -> list[str]:
    return [
        name.lower() for name in (auth.user_header, auth.email_header, auth.groups_header, auth.secret_header) if name
    ]


def _behind_proxy(found: Callable[[AuthValues], bool]) -> Callable[[Values], bool]:
    return lambda values: values.auth.mode == "proxy" and found(values.auth)


SERVER_CONTRADICTIONS: tuple[Contradiction[Values], ...] = (
    Contradiction(
        lambda values: values.mlflow.enabled and values.mlflow.url is None,
        "mlflow.enabled is true, but mlflow.url is not set. Set it to MLflow's address, or mlflow.enabled to false.",
    ),
    Contradiction(
        _registered_prompts_without_mlflow,
        "{}.mlflow_prompt is set, but mlflow.enabled is false. Set mlflow.enabled to true and mlflow.url, or "
        "leave the prompt's name empty.",
    ),
    Contradiction(
        lambda values: SATISFACTION not in values.feedback.names,
        f"feedback.names lacks {SATISFACTION}, which votes without a name have. Add it.",
    ),
    Contradiction(
        _judges_named_like_votes, "feedback.names and judges both have {}. Give the judge a name of its own."
    ),
    Contradiction(_named_twice, "{} has {} twice. Give each a name of its own."),
    Contradiction(
        lambda values: len(set(_headers(values.auth))) < len(_headers(values.auth)),
        "auth.user_header, auth.email_header, auth.groups_header and auth.secret_header name one header twice. Give "
        "each a header of its own.",
    ),
    Contradiction(
        _behind_proxy(lambda auth: bool(auth.reviewer_groups) and not auth.groups_header),
        "auth.reviewer_groups is set, but auth.groups_header is empty, so that nobody's groups are known. Name the "
        "header there if the proxy sets it on every request, or leave auth.reviewer_groups empty.",
    ),
    Contradiction(
        _behind_proxy(lambda auth: bool(auth.reviewer_emails) and not auth.email_header),
        "auth.reviewer_emails is set, but auth.email_header is empty, so that nobody's address is known. Name the "
        "header there if the proxy sets it on every request, or leave auth.reviewer_emails empty.",
    ),
    Contradiction(
        _behind_proxy(lambda auth: bool(auth.email_header) and any("@" in user for user in auth.reviewer_users)),
        "auth.reviewer_users holds an e-mail address, which would count for a user of that name. Move it to "
        "auth.reviewer_emails.",
    ),
)
