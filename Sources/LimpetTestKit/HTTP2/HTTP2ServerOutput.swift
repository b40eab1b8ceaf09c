import HTTP2Wire

/// Judges all that a server has sent on one connection, after the fact.
package struct HTTP2ServerOutput {
    /// What breaks a rule; empty if nothing does.
    package private(set) var faults: [String] = []
    private let last: UInt32
    private var ended: Set<UInt32> = []
    private var reset: Set<UInt32> = []
    private var begun: Set<UInt32> = []
    /// The stream whose block of fields is not complete.
    private var open: UInt32?

    /// - Parameters:
    ///   - bytes: from the first to the last.
    ///   - opened: the streams that the client has opened.
    package init(_ bytes: [UInt8], opened: Set<UInt32>) {
        last = opened.max() ?? 0
        var place = 0
        var isFirst = true
        while let frame = HTTP2Frame(bytes, at: &place) {
            if isFirst, frame.type != 4 || frame.flags != 0 { faults.append("SETTINGS is not the first frame") }
            isFirst = false
            check(frame)
        }
        if place != bytes.count { faults.append("\(bytes.count - place) bytes at the end do not make a frame") }
        if open != nil { faults.append("a block of fields has no end") }
        if last < 200 { decode(bytes) }
    }

    private mutating func check(_ frame: HTTP2Frame) {
        let length = frame.payload.count
        let isOfStream: Bool? =
            switch frame.type {
            case 0, 1, 3, 9: true
            case 4, 6, 7: false
            default: nil
            }
        let isKnown = [0, 1, 3, 4, 6, 7, 8, 9].contains(frame.type)
        let hasLength =
            switch frame.type {
            case 3, 8: length == 4
            case 4: frame.flags & 1 == 1 ? length == 0 : length % 6 == 0
            case 6: length == 8
            case 7: length >= 8
            default: length <= 16_384
            }
        if !isKnown || !hasLength || isOfStream.map({ $0 != (frame.stream != 0) }) == true
            || (frame.stream != 0 && !isOpened(frame.stream))
            || (open != nil && (frame.type != 9 || frame.stream != open))
        {
            faults.append("type \(frame.type), flags \(frame.flags), stream \(frame.stream), \(length) bytes")
        }
        if frame.type < 2 { message(frame) }
        if frame.type == 9 || frame.type == 1 { open = frame.flags & 4 == 0 ? frame.stream : nil }
        if frame.type == 3 { reset.insert(frame.stream) }
    }

    private func isOpened(_ stream: UInt32) -> Bool { stream % 2 == 1 && stream <= last }

    private mutating func message(_ frame: HTTP2Frame) {
        let stream = frame.stream
        if ended.contains(stream) || reset.contains(stream) { faults.append("more on stream \(stream) after its end") }
        if frame.type == 0, !begun.contains(stream) { faults.append("content before the head of stream \(stream)") }
        begun.insert(stream)
        if frame.flags & 1 == 1 { ended.insert(stream) }
    }

    /// A client that has opened the same streams finds no mistake that ends a connection. It may reset streams: it does
    /// not know which requests were HEAD.
    private mutating func decode(_ bytes: [UInt8]) {
        let client = HTTP2Side(HTTP2Settings(.client))
        for _ in 0..<(last + 1) / 2 { _ = client.send(request: "GET / HTTP/1.1\r\nHost: h\r\n\r\n") }
        _ = client.takeOutput()
        var place = 0
        while let frame = HTTP2Frame(bytes, at: &place) {
            // It has not sent what these acknowledge.
            let isAcknowledgement = (frame.type == 4 || frame.type == 6) && frame.flags & 1 == 1
            if !isAcknowledgement { client.receive(frame.bytes) }
        }
        let output = client.takeOutput()
        place = 0
        while let frame = HTTP2Frame(output, at: &place) {
            guard frame.type == 7, frame.payload.count >= 8 else { continue }
            let error = frame.payload[4..<8].reduce(0) { $0 << 8 | UInt32($1) }
            if error != 0 { faults.append("a client would end the connection with error \(error)") }
        }
    }
}
