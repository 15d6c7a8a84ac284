/// Why an envelope cannot be put together with others. People and retry policies know it by its code.
struct FanInError: Error, Hashable, Sendable, CustomStringConvertible {
    enum Code: String, Sendable {
        /// The envelope says nothing that can be understood about its group, or something else than the others do.
        case header = "fan_in_header"
        /// Pieces were missing at the deadline.
        case incomplete = "fan_in_incomplete"
        /// Its group was released without it.
        case late = "fan_in_late"
        case tooLarge = "fan_in_too_large"
        /// The database does not take what it holds.
        case storage = "fan_in_storage"
    }

    let code: Code
    let message: String

    init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    var description: String { message }
}
