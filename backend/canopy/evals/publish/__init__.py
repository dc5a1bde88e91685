"""Uploads and publishes the reports of runs."""
