"""Follow-up questions on a summary. They share the summary's prompt, model and flag."""

from dataclasses import replace

from canopy.features import summarize

# A follow-up means nothing without its conversation, so it can't become a test of one prompt and one answer.
FEATURE = replace(summarize.FEATURE, name="summarize_chat", endpoint="/summarize/chat", exported=False)
