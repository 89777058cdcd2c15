"""What is read when Prometheus asks: each subject alone, so that one that fails hides no other."""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping

from prometheus_client.core import GaugeMetricFamily, Metric

Read = Callable[[], Iterable[Metric]]
log = logging.getLogger("monitoring.exporter")


class Subjects:
    """A collector of prometheus_client."""

    def __init__(self, subjects: Mapping[str, Read]) -> None:
        self._subjects = subjects
        self._failing: set[str] = set()

    def collect(self) -> Iterator[Metric]:
        found: dict[str, Metric] = {}
        for name in self._subjects:
            for metric in self._read(name):
                if metric.name in found:
                    found[metric.name].samples += metric.samples
                else:
                    found[metric.name] = metric
        failed = {name: float(name in self._failing) for name in self._subjects}
        yield from found.values()
        yield labelled("mnist_exporter_failed", "Whether a subject could not be read.", "subject", failed)

    def _read(self, name: str) -> list[Metric]:
        try:
            metrics = list(self._subjects[name]())
        except Exception as error:  # whatever it is, the other subjects are read
            if name not in self._failing:
                log.warning(
                    "%s cannot be read: %s", name, str(error).partition("\n")[0] or type(error).__name__
                )
            self._failing.add(name)
            return []
        self._failing.discard(name)
        return metrics


def gauge(name: str, meaning: str, value: float) -> GaugeMetricFamily:
    """A gauge without labels."""
    return GaugeMetricFamily(name, meaning, value=value)


def labelled(name: str, meaning: str, label: str, values: Mapping[str, float]) -> GaugeMetricFamily:
    """A gauge with one label."""
    family = GaugeMetricFamily(name, meaning, labels=[label])
    for label_value, value in values.items():
        family.add_metric([label_value], value)
    return family
