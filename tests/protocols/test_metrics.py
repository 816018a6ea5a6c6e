# SPDX-License-Identifier: Apache-2.0
"""Ranges of metrics: what every honest generation measures lies inside, what lies outside is named."""

import math

import numpy as np
import pytest

from tailweave.clients.metrics import evaluate, yardstick
from tailweave.protocols.metrics import (
    CLASS_RECALL,
    GROUP_PERPLEXITY,
    METRICS,
    MODE_SHARE,
    check_metric,
    family,
    in_order,
)
from tailweave.protocols.streams import stream


@pytest.mark.parametrize("spread", [0.0, 1e-12, 1.0, 1e40])
def test_what_can_be_measured_is_in_range(spread):
    truth = stream(0, "truth").normal(size=(60, 3))
    ruler = yardstick(truth, np.repeat(["a", "b"], 30))
    generated = spread * stream(1, "generated").normal(size=(40, 3)) + 1.0
    for name, value in evaluate(ruler, generated, generated[:5]).items():
        check_metric(name, value, value)


@pytest.mark.parametrize(
    ("name", "low", "high", "message"),
    [
        ("coverage", 0.5, 1e9, "metric coverage must be within 0 and 1, got 1e.09"),
        ("coverage", -0.1, 0.5, "got -0.1"),
        ("frechet", 0.0, 1e160, "metric frechet must be within 0 and 1e.100, got 1e.160"),
        ("mode_share/x", 0.0, 1.5, "metric mode_share/x must be within 0 and 1, got 1.5"),
        ("mode_share", 0.0, 0.5, "metric 'mode_share' is not known here"),
        ("group_perplexity/x", 0.5, 2.0, "metric group_perplexity/x must be within 1 and 1e.100, got 0.5"),
        ("group_perplexity", 2.0, 2.0, "metric 'group_perplexity' is not known here"),
        ("coverage/x", 0.5, 0.5, "metric 'coverage/x' is not known here"),
        ("speed", 0.0, 0.5, "metric 'speed' is not known here; known are accuracy, association_error"),
        ("vendi", math.nan, math.nan, "metric vendi must be within"),
    ],
)
def test_what_lies_outside_is_refused_by_name(name, low, high, message):
    with pytest.raises(ValueError, match=message):
        check_metric(name, low, high)


def test_extremes_of_every_range_leave_means_and_variances_finite():
    for allowed in METRICS.kinds.values():
        values = [allowed.low, allowed.high] * 500
        assert math.isfinite(np.var(values) + np.mean(values))


def test_a_metric_of_each_class_has_its_kind_before_the_slash():
    of_classes = [name for name, spec in METRICS.kinds.items() if spec.per_class]
    assert of_classes == [
        *("class_recall", "group_perplexity", "level_kept", "level_share"),
        *("mode_share", "pair_kept", "pair_share"),
    ]
    assert {CLASS_RECALL, GROUP_PERPLEXITY, MODE_SHARE} <= {f"{name}/" for name in of_classes}
    for name in of_classes:
        assert family(f"{name}/a/b") == family(f"{name}/") == family(name) == name
        check_metric(f"{name}/a/b", 1.0, 1.0)
    for name in ("coverage", "coverage/x", "/x", "x", ""):
        assert family(name) == name


def test_metrics_of_text_stand_behind_those_of_all_sorts():
    text = {name for name, spec in METRICS.kinds.items() if spec.takes == ("text",)}
    assert {"perplexity", "distinct_2", "network_density", "group_distance"} <= text
    others = [
        spec
        for name, spec in METRICS.kinds.items()
        if name not in text and not spec.__module__.endswith((".labels", ".table"))
    ]
    for name in text:
        assert METRICS.kinds[name].place > max(spec.place for spec in others)
    places = [spec.place for spec in METRICS.kinds.values()]
    assert len(set(places)) == len(places)
    assert in_order(["distinct_2", "group_perplexity/b", "perplexity", "group_perplexity/a", "w2_sq"]) == [
        "w2_sq",
        "perplexity",
        "group_perplexity/b",
        "group_perplexity/a",
        "distinct_2",
    ]
