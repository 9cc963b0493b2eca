"""What Prometheus reads: its own parser finds every fact, and no label grows without end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from prometheus_client.parser import text_string_to_metric_families

from genesis.run.metrics import MOST_TRACKERS, Facts, Meter, TrackerFacts, metrics, status

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def facts(**more: object) -> Facts:
    return Facts("0.1.0", "here/1/1", NOON, NOON - HOUR, **more)  # type: ignore[arg-type]


def samples(told: Facts) -> dict[tuple[str, ...], float]:
    """Each sample, by its name and the values of its labels."""
    families = text_string_to_metric_families(metrics(told))
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in families
        for sample in family.samples
    }


def test_every_fact_is_read() -> None:
    """By the names that dashboards ask for."""
    meter = Meter()
    meter.ended("refresh", "succeeded", None, {"query": 0.4, "write": 70.0})
    meter.ended("refresh", "failed", "transient", {"query": 2.0})
    meter.skipped("it needs `w.first`, which did not succeed")
    meter.skipped("it needs `w.second`, which did not succeed")
    meter.sent("ops", True)
    meter.sent("mailto:ann@example.com", False)
    meter.ticked(timedelta(milliseconds=20))
    meter.claimed(timedelta(seconds=3))
    meter.lost()
    tracker = TrackerFacts("w.j", "fresh", NOON - HOUR, NOON - 2 * HOUR)
    read = samples(
        facts(
            counts=meter.counts(),
            last_tick=NOON,
            oldest_due=NOON - HOUR,
            waiting={"queued": 3},
            alerts={"failing": 2},
            unsent=1,
            trackers=[tracker],
        )
    )
    assert (
        read.items()
        >= {
            ("genesis_build_info", "0.1.0"): 1,
            ("genesis_last_tick_timestamp_seconds",): NOON.timestamp(),
            ("genesis_oldest_due_age_seconds",): 3_600,
            ("genesis_runs_total", "refresh", "succeeded", ""): 1,
            ("genesis_runs_total", "refresh", "failed", "transient"): 1,
            ("genesis_run_duration_seconds_bucket", "refresh", "query", "0.5"): 1,
            ("genesis_run_duration_seconds_bucket", "refresh", "query", "+Inf"): 2,
            ("genesis_run_duration_seconds_sum", "refresh", "query"): 2.4,
            ("genesis_run_duration_seconds_count", "refresh", "write"): 1,
            ("genesis_slots_skipped_total", "it needs `...`, which did not succeed"): 2,
            ("genesis_alerts_sent_total", "ops", "sent"): 1,
            ("genesis_alerts_sent_total", "owner", "failed"): 1,
            ("genesis_alerts_open", "failing"): 2,
            ("genesis_alerts_unsent",): 1,
            ("genesis_leases_lost_total",): 1,
            ("genesis_schedule_lag_seconds_count",): 1,
            ("genesis_tick_duration_seconds_count",): 1,
            ("genesis_runs_open", "queued"): 3,
            ("genesis_trackers", "fresh"): 1,
            ("genesis_tracker_data_age_seconds", "w.j"): 7_200,
            ("genesis_tracker_last_success_timestamp_seconds", "w.j"): (NOON - HOUR).timestamp(),
        }.items()
    )


def test_a_label_may_hold_anything() -> None:
    """Quotes, backslashes and lines."""
    read = samples(facts(waiting={'a"b\\c\nd': 1}))
    assert read["genesis_runs_open", 'a"b\\c\nd'] == 1


def test_very_many_trackers_are_no_labels() -> None:
    """They are counted by their states."""
    trackers = [TrackerFacts(f"w.j{n}", "fresh", NOON, NOON) for n in range(MOST_TRACKERS + 1)]
    read = samples(facts(trackers=trackers))
    assert read["genesis_trackers", "fresh"] == MOST_TRACKERS + 1
    assert not any(name.startswith("genesis_tracker_") for name, *_ in read)


def test_a_status_has_each_tracker() -> None:
    """With how old its data is, and when it runs next."""
    tracker = TrackerFacts("w.j", "paused", NOON, NOON - HOUR, NOON + HOUR, "for the holidays")
    told = status(facts(trackers=[tracker]))
    assert told["schema"] == "genesis/node@1"
    assert told["trackers"] == [
        {
            "tracker": "w.j",
            "state": "paused",
            "last_success": "2026-11-23T12:00:00+00:00",
            "data_at": "2026-11-23T11:00:00+00:00",
            "data_age_seconds": 3600.0,
            "next_at": "2026-11-23T13:00:00+00:00",
            "paused": "for the holidays",
        }
    ]
