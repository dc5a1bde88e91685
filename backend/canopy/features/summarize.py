"""Summaries of a text."""

from canopy.features.base import Feature
from canopy.prompts import prompt

FEATURE = Feature(
    name="summarize",
    flag="summarize",
    title="Summarization",
    endpoint="/summarize",
    exported=True,
    prompt=lambda values, arm: prompt(getattr(values.asked, arm)),
    model=lambda values: values.summarize.model,
    temperature=lambda values: values.asked.temperature,
    max_tokens=lambda values: values.asked.max_tokens,
    hide_thoughts=lambda values: values.summarize.hide_thoughts,
)
