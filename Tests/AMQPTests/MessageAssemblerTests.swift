import CRabbitMQ
import Testing

@testable import AMQP

struct MessageAssemblerTests {
    private static func header(size: UInt64) -> amqp_frame_t {
        var frame = amqp_frame_t()
        frame.frame_type = UInt8(AMQP_FRAME_HEADER)
        frame.channel = 1
        frame.payload.properties.body_size = size
        return frame
    }

    private static func take(
        _ body: [UInt8], into assembler: inout MessageAssembler<String>
    ) -> MessageAssembler<String>.Complete? {
        var body = body
        return body.withUnsafeMutableBytes { bytes in
            var frame = amqp_frame_t()
            frame.frame_type = UInt8(AMQP_FRAME_BODY)
            frame.channel = 1
            frame.payload.body_fragment = amqp_bytes_t(len: bytes.count, bytes: bytes.baseAddress)
            return assembler.take(frame)
        }
    }

    @Test func putsFragmentsTogether() {
        var assembler = MessageAssembler<String>()
        assembler.begin("a")
        #expect(assembler.take(Self.header(size: 5)) == nil)
        #expect(Self.take([1, 2], into: &assembler) == nil)
        #expect(Self.take([], into: &assembler) == nil)
        let complete = Self.take([3, 4, 5], into: &assembler)
        #expect(complete?.method == "a")
        #expect(complete?.body == [1, 2, 3, 4, 5])
        #expect(complete?.properties.messageID == nil)
        #expect(complete?.properties.headers == [:])
    }

    @Test func anEmptyBodyIsCompleteWithItsHeader() {
        var assembler = MessageAssembler<String>()
        assembler.begin("a")
        #expect(assembler.take(Self.header(size: 0))?.body == [])
        assembler.begin("b")
        #expect(Self.take([], into: &assembler) == nil, "no header yet: nothing is complete")
    }

    @Test func framesWithoutAMethodAreIgnored() {
        var assembler = MessageAssembler<String>()
        #expect(assembler.take(Self.header(size: 0)) == nil)
        #expect(Self.take([1], into: &assembler) == nil)
    }

    @Test func believesNoSizeBeforeTheBytesAreThere() {
        var assembler = MessageAssembler<String>()
        assembler.begin("a")
        #expect(assembler.take(Self.header(size: .max)) == nil)
        #expect(Self.take([1], into: &assembler) == nil)
        assembler.begin("b")
        #expect(assembler.take(Self.header(size: 1)) == nil)
        #expect(Self.take([7], into: &assembler)?.body == [7])
    }

    @Test func readsHeadersOfEveryType() {
        let kinds: [(Field, (inout amqp_field_value_t) -> Void)] = [
            (
                -5,
                {
                    $0.kind = UInt8(ascii: "l"); $0.value.i64 = -5
                }
            ),
            (
                -4,
                {
                    $0.kind = UInt8(ascii: "I"); $0.value.i32 = -4
                }
            ),
            (
                3,
                {
                    $0.kind = UInt8(ascii: "i"); $0.value.u32 = 3
                }
            ),
            (
                -2,
                {
                    $0.kind = UInt8(ascii: "s"); $0.value.i16 = -2
                }
            ),
            (
                1,
                {
                    $0.kind = UInt8(ascii: "u"); $0.value.u16 = 1
                }
            ),
            (
                -1,
                {
                    $0.kind = UInt8(ascii: "b"); $0.value.i8 = -1
                }
            ),
            (
                200,
                {
                    $0.kind = UInt8(ascii: "B"); $0.value.u8 = 200
                }
            ),
            (
                true,
                {
                    $0.kind = UInt8(ascii: "t"); $0.value.boolean = 1
                }
            ),
        ]
        for (expected, fill) in kinds {
            let arena = Arena()
            var properties = amqp_basic_properties_t()
            properties._flags = UInt32(AMQP_BASIC_HEADERS_FLAG | AMQP_BASIC_MESSAGE_ID_FLAG)
            properties.message_id = arena.bytes("id-ü")
            properties.headers = arena.table(["other": "text", "x-delivery-count": 0])
            fill(&properties.headers.entries[1].value)
            var assembler = MessageAssembler<String>()
            assembler.begin("a")
            let complete = withUnsafeMutablePointer(to: &properties) { properties in
                var frame = Self.header(size: 0)
                frame.payload.properties.decoded = UnsafeMutableRawPointer(properties)
                return assembler.take(frame)
            }
            #expect(complete?.properties.messageID == "id-ü")
            #expect(complete?.properties.headers == ["other": "text", "x-delivery-count": expected])
        }
    }
}
