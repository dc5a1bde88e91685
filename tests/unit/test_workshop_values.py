"""The values file as today's workshop writes it."""

from canopy.config.loading import load_config

WORKSHOP = b"""
    repo_url: https://example.com/repo.git
    chart_path: chart
    MLFLOW_TRACKING_URI: https://mlflow.example.com
    summarization:
      enabled: true
      model: llama32
      endpoint: http://llama-32-predictor.models.svc.cluster.local:8080/v1
      prompt_b: "Provide a brief, concise summary:"
    information-search:
      enabled: true
      vector_db_id: genaiops_2026_05_25_21_39
    student-assistant:
      enabled: true
      mcp_calendar_url: http://canopy-mcp-calendar-mcp-server:8080/sse
    shields:
      enabled: true
      input_shields: [hap, prompt_injection]
    socratic-tutor:
      enabled: true
    feedback:
      enabled: true
    ab_testing:
      enabled: true
"""


def test_todays_workshops_values_are_accepted_and_say_what_nothing_follows() -> None:
    config = load_config(WORKSHOP)
    on = {name for name, flag in config.flags.items() if flag.on}
    off = {name: flag.reason for name, flag in config.flags.items() if not flag.on}
    assert on == {"summarize", "feedback", "ab_testing"}
    assert off.keys() == {
        "information-search",
        "student-assistant",
        "socratic-tutor",
        "shields",
        "MLFLOW_TRACKING_URI",
    }
    assert all(f"`{name}` is for " in reason for name, reason in off.items())
    assert config.values.summarize.prompt_b.startswith("Provide")
    assert str(config.values.LLAMA_STACK_URL) == "http://llama-32-predictor.models.svc.cluster.local:8080/v1"


def test_the_other_name_of_a_section_is_that_section() -> None:
    other, own = (
        load_config(f"{name}: {{model: granite, temperature: 0}}".encode()).values
        for name in ("summarization", "summarize")
    )
    assert other == own
    assert load_config(b"summarization: {}\nsummarize: {model: granite}").values.summarize.model == "granite"
