internal import Glibc

/// What every process shows of itself, by the names that Prometheus' own clients have given it: no namespace before them.
public enum ProcessMetrics {
    /// As Prometheus text. What the kernel does not tell is left out.
    public static func exposition() -> String {
        var text = ""
        func add(_ name: String, _ type: String, _ help: String, _ value: Double?) {
            if let value { text += "# HELP \(name) \(help)\n# TYPE \(name) \(type)\n\(name) \(value)\n" }
        }
        add("process_cpu_seconds_total", "counter", "CPU time of the process, user and system, in seconds.", cpuSeconds)
        add("process_open_fds", "gauge", "Open file descriptors.", openDescriptors)
        add("process_resident_memory_bytes", "gauge", "Memory that is in RAM, in bytes.", residentBytes)
        add("process_start_time_seconds", "gauge", "When the process has started, in seconds since 1970.", startTime)
        return text
    }

    private static var cpuSeconds: Double { seconds(CLOCK_PROCESS_CPUTIME_ID) }

    /// The second number of `/proc/self/statm`, in pages.
    private static var residentBytes: Double? {
        let fields = read("/proc/self/statm").split(separator: " ")
        guard fields.count > 1, let pages = Double(fields[1]) else { return nil }
        return pages * Double(sysconf(Int32(_SC_PAGESIZE)))
    }

    private static var openDescriptors: Double? {
        guard let folder = opendir("/proc/self/fd") else { return nil }
        defer { closedir(folder) }
        var count = 0
        while readdir(folder) != nil { count += 1 }
        // Without `.`, `..` and the one that looks.
        return Double(count - 3)
    }

    /// Field 22 of `/proc/self/stat`, in ticks since the machine has started: it never changes.
    private static let startTime: Double? = {
        // The name before it may hold anything.
        guard let fields = read("/proc/self/stat").split(separator: ")").last?.split(separator: " "), fields.count > 19,
            let ticks = Double(fields[19])
        else { return nil }
        let start = seconds(CLOCK_REALTIME) - seconds(CLOCK_BOOTTIME) + ticks / Double(sysconf(Int32(_SC_CLK_TCK)))
        return (start * 100).rounded() / 100
    }()

    private static func seconds(_ clock: clockid_t) -> Double {
        var time = timespec()
        clock_gettime(clock, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    private static func read(_ path: String) -> String {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return "" }
        defer { close(file) }
        return String(
            unsafeUninitializedCapacity: 4096,
            initializingUTF8With: { max(0, Glibc.read(file, $0.baseAddress, $0.count)) })
    }
}
