import Affinity
import HTTPWire
import NIOCore

/// A connection to a backend that carries requests of its health check, one at a time.
protocol CheckCarrier: AnyObject {
    var isUsable: Bool { get }

    /// Sends a request. `then` is called once, in a later turn of the loop or in this one.
    func send(_ request: CheckRequest, by deadline: NIODeadline, _ then: @escaping (CheckEnd) -> Void)

    func close()
}

struct CheckRequest {
    /// In the form of HTTP/1.1.
    let head: ByteBuffer
    /// What matters of it for the response.
    let method: Method
    /// The body of a call by gRPC, which takes trailers; nil: the head says it all.
    var call: ByteBuffer?
}

/// How a request ended.
enum CheckEnd {
    /// The head arrived, and the body did or was too long to wait for.
    case answered(CheckAnswer)
    /// - Parameter isUntouched: not a byte of a response had arrived.
    case failed(FailingReason, isUntouched: Bool)
}

struct CheckAnswer {
    /// The bytes of a body that are read. After more, the request is over.
    static let bodyMax = 64 * 1024

    let status: Int
    let location: [UInt8]
    /// The field lines among which a gRPC status is.
    var grpcLines: [UInt8]
    /// The body of the answer to a call by gRPC.
    var content: [UInt8] = []

    init(_ response: ResponseView) {
        status = response.head.status
        let fields = response.fields
        location =
            fields.firstIndex(named: "location", in: response.bytes).map {
                Array(response.bytes[fields[$0].valueRange])
            } ?? []
        grpcLines =
            fields.firstIndex(named: "grpc-status", in: response.bytes).map {
                Array("grpc-status:".utf8) + response.bytes[fields[$0].valueRange]
            } ?? []
    }
}

extension TimeAmount {
    /// For a connection between checks: shorter than the keep-alive of common servers (60 s or more in nginx and Go),
    /// so that Limpet closes first.
    static let checkIdleTimeout = TimeAmount.seconds(50)
}
