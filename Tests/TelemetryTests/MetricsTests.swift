import Glibc
import Telemetry
import Testing

struct MetricsTests {
    @Test func writesTheExpositionFormat() {
        let registry = MetricsRegistry(namespace: "troupe_actor")
        registry.counter("sent_total", "Messages sent.", ["queue": "b", "kind": "x"]).increment()
        registry.counter("sent_total", "Messages sent.", ["queue": "a", "kind": "x"]).increment(by: 41)
        registry.gauge("active", "Under way.").set(3)
        registry.gauge("active", "Under way.").add(-5)
        let histogram = registry.histogram("seconds", "How long.", ["queue": "a"], buckets: [0.5, 1, 2.5])
        for value in [0.1, 0.5, 0.6, 1, 2, 99] { histogram.observe(value) }
        #expect(
            registry.exposition() == """
                # HELP troupe_actor_active Under way.
                # TYPE troupe_actor_active gauge
                troupe_actor_active -2
                # HELP troupe_actor_seconds How long.
                # TYPE troupe_actor_seconds histogram
                troupe_actor_seconds_bucket{queue="a",le="0.5"} 2
                troupe_actor_seconds_bucket{queue="a",le="1.0"} 4
                troupe_actor_seconds_bucket{queue="a",le="2.5"} 5
                troupe_actor_seconds_bucket{queue="a",le="+Inf"} 6
                troupe_actor_seconds_sum{queue="a"} 103.2
                troupe_actor_seconds_count{queue="a"} 6
                # HELP troupe_actor_sent_total Messages sent.
                # TYPE troupe_actor_sent_total counter
                troupe_actor_sent_total{queue="a",kind="x"} 41
                troupe_actor_sent_total{queue="b",kind="x"} 1

                """)
        #expect(histogram.count == 6)
    }

    @Test func anEmptyHistogramWithoutLabelsIsWellFormed() {
        let registry = MetricsRegistry(namespace: "n")
        _ = registry.histogram("h", "H", buckets: [])
        #expect(
            registry.exposition() == """
                # HELP n_h H
                # TYPE n_h histogram
                n_h_bucket{le="+Inf"} 0
                n_h_sum 0.0
                n_h_count 0

                """)
    }

    /// A label is a user's text (an actor's name), and so may the help of a custom metric be.
    @Test func nothingBreaksOutOfItsLine() {
        let registry = MetricsRegistry(namespace: "n")
        registry.counter("c", "a\\b\nc\r\nd \"e\"", ["l": "a\\b\"c\nd\r\ne\u{301}ü"]).increment()
        #expect(
            registry.exposition()
                == "# HELP n_c a\\\\b\\nc\r\\nd \"e\"\n# TYPE n_c counter\nn_c{l=\"a\\\\b\\\"c\\nd\r\\ne\u{301}ü\"} 1\n"
        )
    }

    /// What was there a moment ago and is not now must not be shown as it was.
    @Test func seriesThatAreNotNamedAnyMoreAreGone() {
        let registry = MetricsRegistry(namespace: "n")
        registry.set("depth", "D", by: "queue", [("b", 2), ("a\"", 1)])
        #expect(
            registry.exposition()
                == "# HELP n_depth D\n# TYPE n_depth gauge\nn_depth{queue=\"a\\\"\"} 1\nn_depth{queue=\"b\"} 2\n")
        registry.set("depth", "D", by: "queue", [("b", 3)])
        #expect(registry.exposition() == "# HELP n_depth D\n# TYPE n_depth gauge\nn_depth{queue=\"b\"} 3\n")
        registry.set("depth", "D", by: "queue", [])
        #expect(registry.exposition() == "# HELP n_depth D\n# TYPE n_depth gauge\n")
    }

    @Test func aProcessTellsOfItself() throws {
        let lines = ProcessMetrics.exposition().split(separator: "\n").filter { !$0.hasPrefix("#") }
        let values = Dictionary(
            uniqueKeysWithValues: try lines.map { line in
                let parts = line.split(separator: " ")
                return (String(parts[0]), try #require(Double(parts[1])))
            })
        #expect(values.count == 4)
        #expect(try #require(values["process_resident_memory_bytes"]) > 1_000_000)
        #expect(try #require(values["process_cpu_seconds_total"]) > 0)
        #expect(try #require(values["process_open_fds"]) >= 3)
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        let age = Double(now.tv_sec) - (try #require(values["process_start_time_seconds"]))
        #expect(age > -2 && age < 7200)
    }

    @Test func oneNameOneSeries() {
        let registry = MetricsRegistry(namespace: "n")
        let counter = registry.counter("c", "first", ["l": "a"])
        #expect(registry.counter("c", "second", ["l": "a"]) === counter)
        #expect(registry.counter("c", "first", ["l": "b"]) !== counter)
    }

    @Test func aNameHasOneType() {
        let registry = MetricsRegistry(namespace: "n")
        registry.counter("c", "first").increment()
        registry.gauge("c", "second").set(7)
        registry.gauge("c", "second", ["l": "x"]).set(7)
        #expect(registry.exposition() == "# HELP n_c first\n# TYPE n_c counter\nn_c 1\n")
    }

    @Test func countsFromManyTasks() async {
        let registry = MetricsRegistry(namespace: "n")
        await withTaskGroup(of: Void.self) { group in
            for task in 0..<20 {
                group.addTask {
                    for _ in 0..<500 {
                        registry.counter("c", "C", ["l": "\(task % 2)"]).increment()
                        registry.histogram("h", "H", buckets: Histogram.seconds).observe(0.5)
                    }
                }
            }
        }
        #expect(registry.counter("c", "C", ["l": "0"]).value + registry.counter("c", "C", ["l": "1"]).value == 10_000)
        #expect(registry.exposition().contains("n_h_sum 5000.0\nn_h_count 10000\n"))
    }
}
