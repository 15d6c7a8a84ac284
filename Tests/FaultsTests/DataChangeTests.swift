import Envelopes
import Testing

@testable import Faults

struct DataChangeTests {
    private func changed(_ text: String, _ changes: String...) throws -> String {
        var chance = FaultChance(seed: 1, actor: "a")
        let list = try changes.map { try DataChange(json($0)) }
        return DataChange.apply(list, to: try json(text), &chance).description
    }

    @Test("what is not touched keeps its bytes")
    func changes() throws {
        let products = #"[{"id":"p1","name":"Hub","price":39.990},{"id":"p2","name":"Cam","price":1e400}]"#
        #expect(
            try changed(products, #"{"op":"null","at":"/*/name"}"#, #"{"op":"set","at":"/*/price","value":-1}"#)
                == #"[{"id":"p1","name":null,"price":-1},{"id":"p2","name":null,"price":-1}]"#)
        #expect(try changed(products, #"{"op":"drop","at":"/1"}"#) == #"[{"id":"p1","name":"Hub","price":39.990}]"#)
        #expect(
            try changed(products, #"{"op":"drop","at":"/0/price"}"#)
                == #"[{"id":"p1","name":"Hub"},{"id":"p2","name":"Cam","price":1e400}]"#)
        #expect(try changed(products, #"{"op":"truncate","at":""}"#) == #"[{"id":"p1","name":"Hub","price":39.990}]"#)
        #expect(try changed(#"{"a":"Grüße"}"#, #"{"op":"truncate","at":"/a","length":3}"#) == #"{"a":"Grü"}"#)
        #expect(try changed(#"{"a":2.5}"#, #"{"op":"scale","at":"/a","factor":4}"#) == #"{"a":10}"#)
        #expect(try changed(#"{"a":"x"}"#, #"{"op":"scale","at":"/a","factor":4}"#) == #"{"a":"x"}"#)
        #expect(try changed("[1,true,\"two\",null]", #"{"op":"swap_type","at":"/*"}"#) == #"["1","true",3,0]"#)
        #expect(try changed(#"{"a":[1,2]}"#, #"{"op":"swap_type","at":"/a"}"#) == #"{"a":{"0":1,"1":2}}"#)
        #expect(try changed(#"{"a":1}"#, #"{"op":"swap_type"}"#) == "[1]")
        // Places that are not there.
        for at in ["/b", "/a/b", "/a/*", "/0"] {
            #expect(try changed(#"{"a":1}"#, #"{"op":"null","at":"\#(at)"}"#) == #"{"a":1}"#)
        }
        let garbage = try changed(#"{"a":1}"#, #"{"op":"garbage","at":"/a"}"#)
        #expect(try json(garbage)["a"]?.string?.count == 16)
    }

    @Test("a change of chance leaves JSON, changes something mostly, and is the same for the same seed")
    func chance() throws {
        let payload = try json(#"{"id":"p1","list":[1,2,{"x":null}],"deep":{"name":"Cam","price":1.5,"ok":true}}"#)
        var results: Set<String> = []
        for seed in 0..<200 {
            var (first, second) = (FaultChance(seed: seed, actor: "a"), FaultChance(seed: seed, actor: "a"))
            let result = DataChange.apply([], to: payload, &first)
            #expect(result == DataChange.apply([], to: payload, &second))
            _ = try RawJSON(Array(result.bytes))
            results.insert(result.description)
        }
        #expect(results.count > 30)
        for text in ["1", "null", "[]", "{}", "\"\""] {
            var chance = FaultChance(seed: 3, actor: "a")
            _ = try RawJSON(Array(DataChange.apply([], to: try json(text), &chance).bytes))
        }
    }
}
