/// PostgreSQL's number (OID) of a built-in type, the same on every server (its `pg_type.dat`).
struct TypeID: RawRepresentable, Hashable, Sendable {
    let rawValue: UInt32

    static let boolean = TypeID(rawValue: 16)
    static let bytea = TypeID(rawValue: 17)
    static let int8 = TypeID(rawValue: 20)
    static let int2 = TypeID(rawValue: 21)
    static let int4 = TypeID(rawValue: 23)
    static let text = TypeID(rawValue: 25)
    static let json = TypeID(rawValue: 114)
    static let jsonArray = TypeID(rawValue: 199)
    static let float4 = TypeID(rawValue: 700)
    static let float8 = TypeID(rawValue: 701)
    static let textArray = TypeID(rawValue: 1009)
    static let int8Array = TypeID(rawValue: 1016)
    static let float8Array = TypeID(rawValue: 1022)
    static let timestampWithTimeZone = TypeID(rawValue: 1184)
    static let timestampWithTimeZoneArray = TypeID(rawValue: 1185)
}
