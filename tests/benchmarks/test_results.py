"""The files of a benchmark: a page for people, and numbers for programs."""

import json
import os

import pytest

from benchmarks.results import Results, Table


def test_the_page_has_results_conditions_and_command(tmp_path):
    table = Table("Speed", ["", "p50 ms"], [["ours", "1.2"], ["theirs", "1.5"]], "Medians.")
    page = Results("predict", "How fast it is.", [table], {"p50": [1.2, 1.5]}).write(tmp_path)
    text = page.read_text(encoding="utf-8")
    assert text.startswith("# predict\n\nHow fast it is.\n\n")
    assert f"{len(os.sched_getaffinity(0))} cores" in text
    assert "GiB" in text
    assert "load average" in text
    assert "numpy " in text
    assert "`make bench BENCH=predict`" in text
    assert "## Speed\n\nMedians.\n\n|  | p50 ms |\n| --- | --- |\n| ours | 1.2 |\n| theirs | 1.5 |\n" in text


def test_the_json_file_has_the_numbers(tmp_path):
    page = Results("memory", "", numbers={"pss_mib": [{"page": 120.5}]}).write(tmp_path)
    content = json.loads(page.with_suffix(".json").read_text(encoding="utf-8"))
    assert content["numbers"] == {"pss_mib": [{"page": 120.5}]}
    assert {"date", "machine", "versions", "command"} <= content.keys()


def test_a_row_with_a_wrong_length_is_rejected():
    with pytest.raises(ValueError, match="1 values for 2 columns"):
        Table("Speed", ["", "p50 ms"], [["ours"]]).as_markdown()
