internal import CPostgreSQL

/// Hands statements to libpq, which copies what it is given. Each returns false when libpq refuses.
enum Sending {
    static func prepare(_ connection: OpaquePointer, name: String, sql: String, _ parameters: [Parameter]) -> Bool {
        let types = parameters.map(\.type.rawValue)
        return PQsendPrepare(connection, name, sql, Int32(types.count), types) == 1
    }

    static func execute(_ connection: OpaquePointer, prepared name: String, _ parameters: [Parameter]) -> Bool {
        withPointers(to: parameters) { values, lengths in
            PQsendQueryPrepared(
                connection, name, Int32(values.count), values, lengths, binaryFormats(values.count), 1) == 1
        }
    }

    static func execute(_ connection: OpaquePointer, sql: String, _ parameters: [Parameter]) -> Bool {
        withPointers(to: parameters) { values, lengths in
            PQsendQueryParams(
                connection, sql, Int32(values.count), parameters.map(\.type.rawValue), values, lengths,
                binaryFormats(values.count), 1) == 1
        }
    }

    private static func binaryFormats(_ count: Int) -> [Int32] { Array(repeating: 1, count: count) }

    /// Pointers to all values at once, without copying them: one level of recursion a parameter.
    private static func withPointers(
        to parameters: [Parameter], _ body: ([UnsafePointer<CChar>?], [Int32]) -> Bool
    ) -> Bool {
        var values: [UnsafePointer<CChar>?] = []
        var lengths: [Int32] = []
        func descend(_ rest: ArraySlice<Parameter>) -> Bool {
            guard let parameter = rest.first else { return body(values, lengths) }
            guard let bytes = parameter.bytes else {
                values.append(nil)
                lengths.append(0)
                return descend(rest.dropFirst())
            }
            return bytes.withUnsafeBytes { buffer in
                // A null pointer would mean SQL's null; an empty value needs some address.
                withUnsafeTemporaryAllocation(of: CChar.self, capacity: 1) { empty in
                    values.append(
                        buffer.baseAddress?.assumingMemoryBound(to: CChar.self) ?? UnsafePointer(empty.baseAddress))
                    lengths.append(Int32(clamping: buffer.count))
                    return descend(rest.dropFirst())
                }
            }
        }
        return descend(parameters[...])
    }
}
