internal import CRabbitMQ
internal import Glibc

/// Memory for the strings and tables of one call into rabbitmq-c; all of it goes when the arena goes.
final class Arena {
    private var pool = amqp_pool_t()

    init() { init_amqp_pool(&pool, 1024) }

    deinit { empty_amqp_pool(&pool) }

    func bytes(_ text: String) -> amqp_bytes_t {
        var text = text
        return text.withUTF8 { bytes(UnsafeRawBufferPointer($0)) }
    }

    private func bytes(_ source: UnsafeRawBufferPointer) -> amqp_bytes_t {
        var copy = amqp_bytes_t()
        // The pool takes no request for nothing.
        amqp_pool_alloc_bytes(&pool, max(1, source.count), &copy)
        if let from = source.baseAddress { memcpy(copy.bytes, from, source.count) }
        copy.len = source.count
        return copy
    }

    func table(_ fields: [String: Field]) -> amqp_table_t {
        guard !fields.isEmpty,
            let memory = amqp_pool_alloc(&pool, fields.count * MemoryLayout<amqp_table_entry_t>.stride)
        else { return amqp_table_t(num_entries: 0, entries: nil) }
        let entries = memory.bindMemory(to: amqp_table_entry_t.self, capacity: fields.count)
        for (index, (key, field)) in fields.sorted(by: { $0.key < $1.key }).enumerated() {
            entries[index] = amqp_table_entry_t(key: bytes(key), value: value(field))
        }
        return amqp_table_t(num_entries: Int32(fields.count), entries: entries)
    }

    private func list(_ fields: [Field]) -> amqp_array_t {
        guard !fields.isEmpty,
            let memory = amqp_pool_alloc(&pool, fields.count * MemoryLayout<amqp_field_value_t>.stride)
        else { return amqp_array_t(num_entries: 0, entries: nil) }
        let entries = memory.bindMemory(to: amqp_field_value_t.self, capacity: fields.count)
        for (index, field) in fields.enumerated() { entries[index] = value(field) }
        return amqp_array_t(num_entries: Int32(fields.count), entries: entries)
    }

    private func value(_ field: Field) -> amqp_field_value_t {
        var value = amqp_field_value_t()
        switch field {
        case .string(let text):
            value.kind = UInt8(ascii: "S")
            value.value.bytes = bytes(text)
        case .integer(let number):
            value.kind = UInt8(ascii: "l")
            value.value.i64 = number
        case .boolean(let flag):
            value.kind = UInt8(ascii: "t")
            value.value.boolean = flag ? 1 : 0
        case .table(let fields):
            value.kind = UInt8(ascii: "F")
            value.value.table = table(fields)
        case .list(let fields):
            value.kind = UInt8(ascii: "A")
            value.value.array = list(fields)
        }
        return value
    }
}

extension amqp_bytes_t {
    var string: String { String(decoding: UnsafeRawBufferPointer(start: bytes, count: len), as: UTF8.self) }
}
