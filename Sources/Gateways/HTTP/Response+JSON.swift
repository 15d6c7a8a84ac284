internal import Envelopes
internal import HTTPTypes
internal import Hummingbird
internal import NIOCore

extension Response {
    init(status: HTTPResponse.Status = .ok, json: [UInt8]) {
        self.init(
            status: status, headers: [.contentType: "application/json; charset=utf-8"],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: json)))
    }

    init(status: HTTPResponse.Status = .ok, json: RawJSON) { self.init(status: status, json: Array(json.bytes)) }

    init(status: HTTPResponse.Status = .ok, writing body: (inout JSONWriter) -> Void) {
        var writer = JSONWriter()
        body(&writer)
        self.init(status: status, json: writer.bytes)
    }

    init(status: HTTPResponse.Status = .ok, text: String) {
        self.init(
            status: status, headers: [.contentType: "text/plain; charset=utf-8"],
            body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
    }
}
