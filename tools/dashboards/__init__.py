"""Grafana's dashboards, as code. Each is one module; `make dashboards` writes them into the chart as JSON."""
