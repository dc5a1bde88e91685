"""Asks MLflow: the client, assessments, traces, the prompt registry and runs of evaluations."""
