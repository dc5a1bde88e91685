"""MLflow: assessments, traces and the prompt registry."""
