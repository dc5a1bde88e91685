"""Everything that asks MLflow: its client, assessments, traces, the prompt registry and runs of evaluations."""
