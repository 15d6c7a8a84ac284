internal import Envelopes
internal import Yams

/// YAML nodes as JSON.
enum YAMLValue {
    struct Problem: Error {
        let mark: Mark?
        let message: String

        init(_ node: Node, _ message: String) {
            mark = node.mark
            self.message = message
        }
    }

    static func json(_ node: Node) throws(Problem) -> RawJSON {
        var writer = JSONWriter()
        try write(node, to: &writer)
        // What a writer has put together is JSON; a conversion that weren't would show here, at the start.
        guard let json = try? RawJSON(writer.bytes) else { throw Problem(node, "cannot be written as JSON") }
        return json
    }

    private static func write(_ node: Node, to writer: inout JSONWriter) throws(Problem) {
        switch node {
        case .mapping(let mapping):
            writer.beginObject()
            for (key, value) in mapping {
                guard let name = key.scalar?.string else { throw Problem(key, "a key must be a string") }
                writer.name(name)
                try write(value, to: &writer)
            }
            writer.endObject()
        case .sequence(let sequence):
            writer.beginArray()
            for element in sequence { try write(element, to: &writer) }
            writer.endArray()
        case .scalar(let scalar): try write(scalar, node, to: &writer)
        case .alias: throw Problem(node, "an alias to nothing")
        }
    }

    private static func write(_ scalar: Node.Scalar, _ node: Node, to writer: inout JSONWriter) throws(Problem) {
        if node.isNull {
            writer.append(.null)
        } else if node.tag == Tag(.bool) {
            writer.append(node.bool ?? false)
        } else if node.tag == Tag(.int) || node.tag == Tag(.float) {
            // As it stands where JSON writes it the same way: no digit is lost.
            if let number = try? RawJSON(Array(scalar.string.utf8)), number.kind == .number {
                writer.append(number)
            } else if let integer = node.int {
                writer.append(integer)
            } else if let number = node.float, number.isFinite {
                writer.append(number)
            } else {
                throw Problem(node, "\(scalar.string) is no number that JSON can hold")
            }
        } else {
            writer.append(string: scalar.string)
        }
    }
}
