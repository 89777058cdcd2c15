"""The exporter: a process beside the other parts that serves their metrics to Prometheus."""
