internal import Synchronization

/// Reads the same once for all that ask for it at the same time. What somebody gets was read after it had asked: who comes while a read
/// is under way waits for the next one.
final class SharedReads<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    typealias Read = @Sendable () async throws(StoreError) -> Value
    private typealias Reader = CheckedContinuation<Result<Value, StoreError>, Never>

    /// By what is being read: who waits for the next time.
    private let waiting = Mutex<[Key: [Reader]]>([:])

    /// - Parameter read: does the same for each that asks for `key`.
    func value(of key: Key, _ read: @escaping Read) async throws(StoreError) -> Value {
        let result = await withCheckedContinuation { (reader: Reader) in
            let isFirst = waiting.withLock { waiting in
                let isFirst = waiting[key] == nil
                waiting[key, default: []].append(reader)
                return isFirst
            }
            // Nobody's own: others may have joined when the first one has gone.
            if isFirst { Task.detached { await self.serve(key, read) } }
        }
        return try result.get()
    }

    private func serve(_ key: Key, _ read: Read) async {
        while let readers = takeReaders(key) {
            let result: Result<Value, StoreError>
            do throws(StoreError) { result = .success(try await read()) } catch { result = .failure(error) }
            for reader in readers { reader.resume(returning: result) }
        }
    }

    private func takeReaders(_ key: Key) -> [Reader]? {
        waiting.withLock { waiting in
            guard let readers = waiting[key], !readers.isEmpty else {
                waiting[key] = nil
                return nil
            }
            waiting[key] = []
            return readers
        }
    }
}
