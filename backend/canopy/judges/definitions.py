"""Judges as the values define them, each with the model that answers and a version."""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b

import orjson

from canopy.base.ratings import SENTIMENTS, Sentiment
from canopy.config.values import JudgeValues, Values
from canopy.judges.question import WORDING


@dataclass(frozen=True, slots=True)
class Judge:
    """Describes a model that labels responses: its instructions and a closed list of labels.

    Equal versions mean that the same is asked of the same model, so that the labels can be counted together.
    """

    name: str
    instructions: str
    labels: dict[str, Sentiment]
    model: str
    sample: float  # percent
    version: str  # 12 hex digits


def configured_judges(values: Values, model_name: Callable[[str], str]) -> list[Judge]:
    """Return the judges that the values define. `model_name` says which model answers for a configured one."""
    return [_judge(it, model_name(it.model or values.summarize.model)) for it in values.judges]


def is_sampled(generation_id: str, sample: float) -> bool:
    """Return whether a generation belongs to a sample of `sample` percent.

    It depends on the id alone, so every process and judge finds the same, and a larger sample contains a smaller one.
    """
    drawn = int.from_bytes(blake2b(generation_id.encode(), digest_size=8).digest())
    return drawn * 100 < sample * 2**64


def _judge(values: JudgeValues, model: str) -> Judge:
    labels = {label.name: SENTIMENTS[label.sentiment] for label in values.labels}
    asked = orjson.dumps([WORDING, values.name, values.instructions, list(labels.items()), model])
    return Judge(
        name=values.name,
        instructions=values.instructions,
        labels=labels,
        model=model,
        sample=values.sample,
        version=blake2b(asked, digest_size=6).hexdigest(),
    )
