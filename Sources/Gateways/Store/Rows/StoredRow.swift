/// A row of whichever database. Columns count from 0, in the order of the statement's list; what is null or of another type than is asked
/// for is an error.
protocol StoredRow {
    func isNull(_ column: Int) -> Bool
    func boolean(_ column: Int) throws -> Bool
    func integer(_ column: Int) throws -> Int
    func optionalInteger(_ column: Int) throws -> Int?
    func double(_ column: Int) throws -> Double
    func optionalDouble(_ column: Int) throws -> Double?
    func string(_ column: Int) throws -> String
    func optionalString(_ column: Int) throws -> String?
    /// A list of texts; empty for null.
    func strings(_ column: Int) throws -> [String]
    func optionalBytes(_ column: Int) throws -> [UInt8]?
    /// A time, in microseconds since 1970.
    func microseconds(_ column: Int) throws -> Int64
    func optionalMicroseconds(_ column: Int) throws -> Int64?
}
