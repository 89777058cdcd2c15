"""The exporter: one process beside the others that shows what they do, as metrics for Prometheus."""
