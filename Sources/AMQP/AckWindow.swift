internal import DequeModule

/// Which deliveries are unsettled, and how few acknowledgements tell the broker about those that are done.
///
/// Acknowledgements wait for `flush()`, so that one frame with `multiple` can stand for a run of them.
struct AckWindow {
    private enum Mark { case unsettled, done, told }
    private var marks: Deque<Mark> = []
    /// Of the first mark. The broker numbers deliveries on a channel 1, 2, 3, ...
    private var firstTag: UInt64 = 1
    private var waiting: [UInt64] = []

    struct Acknowledgement: Equatable {
        var tag: UInt64
        /// Stands for all lower tags too.
        var isMultiple: Bool
    }

    mutating func delivered(_ tag: UInt64) {
        if marks.isEmpty { firstTag = tag }
        marks.append(.unsettled)
    }

    /// - Returns: whether it was the first to wait, so that somebody must call `flush()`.
    mutating func acknowledge(_ tag: UInt64) -> Bool {
        guard mark(tag) == .unsettled else { return false }
        marks[Int(tag - firstTag)] = .done
        waiting.append(tag)
        return waiting.count == 1
    }

    /// For a delivery that was settled some other way (`nack`).
    /// - Returns: whether it was unsettled.
    mutating func forget(_ tag: UInt64) -> Bool {
        guard mark(tag) == .unsettled else { return false }
        marks[Int(tag - firstTag)] = .told
        dropTold()
        return true
    }

    mutating func flush() -> [Acknowledgement] {
        var acknowledgements: [Acknowledgement] = []
        // Every delivery up to here is settled: one frame says so.
        let run = marks.prefix { $0 != .unsettled }
        if let last = run.lastIndex(of: .done) {
            acknowledgements.append(Acknowledgement(tag: firstTag + UInt64(last), isMultiple: last > 0))
            for index in marks.startIndex...last { marks[index] = .told }
        }
        for tag in waiting where mark(tag) == .done {
            acknowledgements.append(Acknowledgement(tag: tag, isMultiple: false))
            marks[Int(tag - firstTag)] = .told
        }
        waiting.removeAll(keepingCapacity: true)
        dropTold()
        return acknowledgements
    }

    private func mark(_ tag: UInt64) -> Mark? {
        guard tag >= firstTag, tag - firstTag < UInt64(marks.count) else { return nil }
        return marks[Int(tag - firstTag)]
    }

    private mutating func dropTold() {
        while marks.first == .told {
            marks.removeFirst()
            firstTag += 1
        }
    }
}
