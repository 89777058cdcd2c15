"""The Grafana dashboards, as JSON files of Grafana's own format:

    python -m monitoring.grafana.dashboards

writes dashboards/*.json. Change the panels here: a test compares the files with this module.
"""

from pathlib import Path

from monitoring.grafana.panels import COLUMNS, LOKI, Dashboard, Panel, text

FOLDER = Path(__file__).parent / "dashboards"

REQUESTS, PREDICTIONS = "mnist_requests_total", "mnist_request_duration_seconds"
ANSWERS = "mnist_upstream_duration_seconds"
FAILED = f'{REQUESTS}{{route!="ping",status=~"5.."}}'
COUNTED = f'{REQUESTS}{{route!="ping"}}'
IN_TIME = f'{ANSWERS}_bucket{{route="predict",le="0.1"}}'
ALL_PREDICTIONS = f'{ANSWERS}_count{{route="predict"}}'
# Points of the objectives, where colours change.
GOOD_AVAILABILITY, GOOD_LATENCY = 0.999, 0.99


def rate(metric: str, *by: str) -> str:
    """Per second, summed up by labels."""
    return f"sum by ({', '.join(by)}) (rate({metric}[$__rate_interval]))"


def quantiles(histogram: str, selector: str, *by: str) -> dict[str, str]:
    """Median, 90th and 99th percentile of a histogram, by labels."""
    legend = "".join(f"{{{{{label}}}}} " for label in by)
    series = rate(f"{histogram}_bucket{{{selector}}}", "le", *by)
    return {f"{legend}P{q}": f"histogram_quantile({q / 100:.2g}, {series})" for q in (50, 90, 99)}


def ratio(part: str, whole: str, window: str) -> str:
    """The share that `part` has of `whole`, 0 where there is no `part`."""
    return f"(sum(rate({part}[{window}])) or vector(0)) / sum(rate({whole}[{window}]))"


AVAILABILITY = Panel(
    "Availability",
    "percentunit",
    "Requests without a 5xx, of all but health checks, in the period shown. The objective is 99.9 %.",
    {"availability": f"1 - {ratio(FAILED, COUNTED, '$__range')}"},
    "stat",
    6,
    green_from=GOOD_AVAILABILITY,
)
LATENCY = Panel(
    "Predictions within 100 ms",
    "percentunit",
    "Predictions that the model server answered within 100 ms, in the period shown: the gateway measures until it has "
    "the whole answer, and a slow client does not count. The objective is 99 %.",
    {"within 100 ms": ratio(IN_TIME, ALL_PREDICTIONS, "$__range")},
    "stat",
    6,
    green_from=GOOD_LATENCY,
)
BUDGET = Panel(
    "Error budget left, 3 days",
    "percentunit",
    "What the last 3 days left of the errors and slow predictions that the objectives allow. Below 0 they are missed.",
    {"{{slo}}": "1 - mnist:budget_burn:rate3d"},
    "stat",
    6,
    green_from=0,
)
ALERTS = Panel(
    "Firing alerts",
    "none",
    "Alerts that fire now. docs/operations.md says what each means and what to do.",
    {"{{alertname}}": 'count by (alertname) (ALERTS{alertstate="firing",severity!="none"}) or vector(0)'},
    "stat",
    6,
    red_from=1,
)
PARTS = Panel(
    "Parts",
    "none",
    "1: the part's health check succeeds. 0: it fails.",
    {"{{part}}": "min by (part) (mnist_part_up)"},
    "stat",
    COLUMNS,
    green_from=1,
)
QUANTILES = Panel(
    "Duration of predictions",
    "s",
    "Median, 90th and 99th percentile from a request's first byte to its answer's last byte: slow clients count.",
    quantiles(PREDICTIONS, 'route="predict"'),
)
OUTBOX_AGE = Panel(
    "Oldest drawing in the outbox",
    "s",
    "How long the oldest answer or label has been waiting for the database. Above 5 minutes an alert fires.",
    {"age": "max(mnist_outbox_oldest_age_seconds)"},
    red_from=300,
)
SHARES = Panel(
    "Share of the versions",
    "percentunit",
    "The share of the drawings that each version should answer.",
    {"{{model_version}}": "max by (model_version) (mnist_model_version_share)"},
)
DISK = Panel(
    "Free disk",
    "percentunit",
    "Free space on the disk of the state. Below 10 % an alert fires.",
    {"free": "min(mnist_disk_free_bytes / mnist_disk_size_bytes)"},
    green_from=0.1,
)

OVERVIEW = Dashboard(
    "overview",
    "Overview",
    (
        AVAILABILITY,
        LATENCY,
        BUDGET,
        ALERTS,
        PARTS,
        Panel(
            "Requests",
            "reqps",
            "Requests per second by route, on both listeners of the gateway.",
            {"{{route}}": rate(REQUESTS, "route")},
        ),
        Panel(
            "Share of requests with a 5xx",
            "percentunit",
            "The objective is at most 0.1 %.",
            {"5xx": ratio(FAILED, COUNTED, "$__rate_interval")},
            red_from=0.001,
        ),
        QUANTILES,
        Panel(
            "Burn rates",
            "none",
            "How many times as fast as the objectives allow their budgets are used up. 14.4 in an hour, 6 in 6 hours "
            "or 1 in 3 days fires an alert.",
            {f"{{{{slo}}}} {window}": f"mnist:budget_burn:rate{window}" for window in ("1h", "6h", "3d")},
        ),
        OUTBOX_AGE,
        SHARES,
        DISK,
        Panel(
            "Scrapes",
            "none",
            "1: Prometheus gets the metrics of this job. 0: it does not.",
            {"{{job}}": "min by (job) (up)"},
            green_from=1,
        ),
    ),
)

PREDICTIONS_DASHBOARD = Dashboard(
    "predictions",
    "Predictions",
    (
        Panel(
            "Predictions by status",
            "reqps",
            "Predictions per second by HTTP status: 4xx is the client's body, 429 its rate limit, 5xx the system.",
            {"{{status}}": rate(f'{REQUESTS}{{route="predict"}}', "status")},
        ),
        Panel(
            "Predictions by version",
            "reqps",
            "Answered predictions per second by model version.",
            {"{{model_version}}": rate(f'{REQUESTS}{{route="predict",model_version!=""}}', "model_version")},
        ),
        QUANTILES,
        Panel(
            "Duration by version, 99th percentile",
            "s",
            "99 of 100 predictions of a version took less.",
            {
                "{{model_version}}": quantiles(
                    PREDICTIONS, 'route="predict",model_version!=""', "model_version"
                )["{{model_version}} P99"]
            },
        ),
        Panel(
            "Requests by listener and route",
            "reqps",
            "inner: of the page. public: of browsers and programs.",
            {"{{listener}} {{route}}": rate(REQUESTS, "listener", "route")},
        ),
        Panel(
            "Failed requests",
            "reqps",
            "Requests per second that ended with a 5xx, by route and status.",
            {"{{route}} {{status}}": rate(FAILED, "route", "status")},
        ),
        Panel(
            "Time in TorchServe",
            "s",
            "Median, 90th and 99th percentile of the time that the gateway waits for TorchServe.",
            quantiles(ANSWERS, 'upstream="torchserve"'),
        ),
        Panel(
            "Time in the queue",
            "s",
            "Mean time that a request waits for a worker, by version.",
            {
                "{{model_version}}": f"{rate('mnist_queue_duration_seconds_sum', 'model_version')}"
                f" / {rate('mnist_queue_duration_seconds_count', 'model_version')}"
            },
        ),
        Panel(
            "Preprocessing",
            "s",
            "From the body's bytes to the network's input, in a worker.",
            quantiles("mnist_stage_duration_seconds", 'stage="preprocess"'),
        ),
        Panel(
            "Network",
            "s",
            "From the network's input to the probabilities, in a worker.",
            quantiles("mnist_stage_duration_seconds", 'stage="network"'),
        ),
    ),
)

QUALITY = Dashboard(
    "model-quality",
    "Model quality by version",
    (
        Panel(
            "Accuracy of labelled drawings",
            "percentunit",
            "Of the last 7 days, with the bounds of its 95 % interval (Wilson). People label errors more often than "
            "right answers, so it is lower than the accuracy of all drawings.",
            {
                "{{model_version}}": "max by (model_version) (mnist_accuracy)",
                "{{model_version}} lower": "max by (model_version) (mnist_accuracy_lower)",
                "{{model_version}} upper": "max by (model_version) (mnist_accuracy_upper)",
            },
        ),
        Panel(
            "Estimated accuracy",
            "percentunit",
            "Mean calibrated confidence of the last 7 days (CBPE). It needs no labels, and is right while the "
            "calibration holds.",
            {"{{model_version}}": "max by (model_version) (mnist_estimated_accuracy)"},
        ),
        Panel(
            "Drift",
            "none",
            "Population stability index of the last 24 hours against the reference of the version's training: below "
            "0.1 none, above 0.25 large. The choice of a brush shifts ink_share, so no alert fires on it.",
            {"{{model_version}} {{feature}}": "max by (model_version, feature) (mnist_drift_psi)"},
            red_from=0.25,
        ),
        Panel(
            "Labelled share",
            "percentunit",
            "Drawings with a label, of all drawings of a version.",
            {
                "{{model_version}}": "max by (model_version) (mnist_labelled_drawings)"
                " / max by (model_version) (mnist_drawings)"
            },
        ),
        SHARES,
        Panel(
            "Drawings",
            "none",
            "Drawings in the database by the version that read them.",
            {"{{model_version}}": "max by (model_version) (mnist_drawings)"},
        ),
        Panel(
            "Roles",
            "none",
            "The versions that are served: default, previous for a rollback, and those of the split.",
            {"{{model_version}} {{role}}": "max by (model_version, role) (mnist_model_version_info)"},
            "stat",
        ),
        Panel(
            "Changes of the version",
            "none",
            "Swaps, rollbacks, canaries and promotions so far.",
            {"{{kind}}": "sum by (kind) (mnist_version_changes_total)"},
            "stat",
        ),
    ),
)

PAGE = Dashboard(
    "page-and-outbox",
    "Page and outbox",
    (
        Panel(
            "Sessions",
            "none",
            "Browser windows that are connected to the page.",
            {"open": "sum(mnist_page_sessions)"},
        ),
        Panel(
            "Requests of the page",
            "reqps",
            "Requests per second for the page and its files, and uploads.",
            {"{{route}}": rate(f'{REQUESTS}{{route=~"page|upload"}}', "route")},
        ),
        Panel(
            "Time in the page's server",
            "s",
            "Median, 90th and 99th percentile of the time that the gateway waits for the page. WebSockets do not "
            "count.",
            quantiles(ANSWERS, 'upstream="page"'),
        ),
        Panel(
            "Drawings and labels",
            "none",
            "New rows and new labels in the database per minute.",
            {
                "drawings": "60 * sum(deriv(mnist_drawings[5m]))",
                "labels": "60 * sum(deriv(mnist_labelled_drawings[5m]))",
            },
        ),
        Panel(
            "Outbox",
            "none",
            "Answers and labels that wait for the database.",
            {"rows": "sum(mnist_outbox_rows)"},
        ),
        OUTBOX_AGE,
        Panel(
            "Rejected records",
            "none",
            "Damaged records that were moved aside. docs/operations.md, Failures.",
            {"rows": "sum(mnist_outbox_rejected_rows)"},
            "stat",
            red_from=1,
        ),
        Panel(
            "Page and deliverer",
            "none",
            "1: the part's health check succeeds. 0: it fails.",
            {"{{part}}": 'min by (part) (mnist_part_up{part=~"page|deliverer"})'},
            "stat",
            green_from=1,
        ),
    ),
)

POSTGRESQL = Dashboard(
    "postgresql",
    "PostgreSQL",
    (
        Panel(
            "PostgreSQL",
            "none",
            "1: the database accepts connections. 0: it does not, and drawings wait in the outbox.",
            {"up": 'min(mnist_part_up{part="postgres"})'},
            "stat",
            green_from=1,
        ),
        Panel(
            "Age of the newest backup",
            "s",
            "Above 7 days an alert fires. Without any backup there is no value, and another alert.",
            {"age": "time() - max(mnist_backup_timestamp_seconds)"},
            "stat",
            red_from=7 * 86_400,
        ),
        Panel("Size", "bytes", "The database on disk.", {"size": "max(mnist_database_size_bytes)"}),
        Panel(
            "Growth",
            "bytes",
            "Bytes per day, at the pace of the last hour.",
            {"per day": "86400 * max(deriv(mnist_database_size_bytes[1h]))"},
        ),
        Panel(
            "Connections",
            "none",
            "Connections by state.",
            {"{{state}}": "sum by (state) (mnist_database_connections)"},
        ),
        Panel(
            "Rows",
            "none",
            "Drawings, and those that have a label.",
            {"drawings": "sum(mnist_drawings)", "labelled": "sum(mnist_labelled_drawings)"},
        ),
        OUTBOX_AGE,
        DISK,
    ),
)

EVERY_LOG = '{service=~".+"}'
LOGS = Dashboard(
    "logs",
    "Logs",
    (
        Panel(
            "Lines",
            "none",
            "Log lines per minute by service.",
            {"{{service}}": f"sum by (service) (count_over_time({EVERY_LOG}[1m]))"},
            source=LOKI,
        ),
        Panel(
            "Warnings and errors",
            "none",
            "Lines per minute of level warning and above, by service.",
            {"{{service}}": 'sum by (service) (count_over_time({level=~"warning|error|critical"}[1m]))'},
            source=LOKI,
        ),
        Panel(
            "Newest warnings and errors",
            "none",
            "Of all services.",
            {"": '{level=~"warning|error|critical"}'},
            "logs",
            COLUMNS,
            source=LOKI,
        ),
        Panel(
            "One drawing",
            "none",
            "All lines with the drawing's id, from pen to row. Type the id into the field `drawing`.",
            {"": f'{EVERY_LOG} | json | drawing_id="$drawing"'},
            "logs",
            COLUMNS,
            source=LOKI,
        ),
        Panel(
            "One request",
            "none",
            "All lines with the request's id: X-Request-Id of the answer. Type it into the field `request`.",
            {"": f'{EVERY_LOG} | json | request_id="$request"'},
            "logs",
            COLUMNS,
            source=LOKI,
        ),
    ),
    texts={"drawing": "Drawing", "request": "Request"},
)

ALL = (OVERVIEW, PREDICTIONS_DASHBOARD, QUALITY, PAGE, POSTGRESQL, LOGS)


if __name__ == "__main__":
    for one in ALL:
        (FOLDER / f"{one.name}.json").write_text(text(one), encoding="utf-8")
