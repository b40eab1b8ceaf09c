import CLimpetH2

extension limpet_h2_settings {
    init(_ settings: HTTP2Settings) {
        self.init(
            is_server: settings.role == .server, streams: UInt32(clamping: settings.streams),
            stream_window: Int32(clamping: settings.streamWindow),
            connection_window: Int32(clamping: settings.connectionWindow),
            head_bytes: UInt32(clamping: settings.headBytes), glitches: UInt32(clamping: settings.glitches),
            glitches_per_second: UInt32(clamping: settings.glitchesPerSecond))
    }
}

extension limpet_h2_events {
    /// Passes each event to the session that is the owner.
    static let ofSession = limpet_h2_events(
        head: { owner, stream, bytes, length, ends in
            events(owner)?.received(
                head: UnsafeRawBufferPointer(start: bytes, count: length), of: stream, ends: ends)
        },
        head_refused: { owner, stream, fault, isToHead, isGRPC in
            let isTooLarge = fault == LIMPET_H2_HEAD_TOO_LARGE
            events(owner)?.refusedHead(
                of: stream, isTooLarge ? .tooLarge(isToHead: isToHead, isGRPC: isGRPC) : .malformed)
        },
        content: { owner, stream, bytes, length in
            events(owner)?.received(content: UnsafeRawBufferPointer(start: bytes, count: length), of: stream)
        },
        end: { owner, stream, trailers, length in
            events(owner)?.receivedEnd(
                of: stream, trailers: UnsafeRawBufferPointer(start: trailers, count: length))
        },
        closed: { owner, stream, error in events(owner)?.closed(stream, error: error) },
        goaway: { owner, last, error in events(owner)?.receivedGoAway(last: last, error: error) },
        ready: { owner, stream, limit, end in
            let content = events(owner)?.content(of: stream, atMost: limit) ?? HTTP2Content(count: 0, end: .goesOn)
            end?.pointee = content.end.codec
            return content.count
        },
        take: { owner, stream, frameHead, length in
            let head = UnsafeRawBufferPointer(start: frameHead, count: Int(LIMPET_H2_FRAME_HEAD_LENGTH))
            events(owner)?.write(length, of: stream, after: head)
        },
        websocket_key: { owner, key in
            guard let key, let nonce = events(owner)?.webSocketKey() else { return }
            let place = UnsafeMutableRawBufferPointer(start: key, count: Int(LIMPET_H2_WEBSOCKET_KEY_LENGTH))
            place.copyBytes(from: nonce.prefix(place.count))
        },
        websocket_accept: { owner, stream, accept in
            let answer = events(owner)?.webSocketAccept(of: stream) ?? []
            guard let accept, answer.count == Int(LIMPET_H2_WEBSOCKET_ACCEPT_LENGTH) else { return false }
            UnsafeMutableRawBufferPointer(start: accept, count: answer.count).copyBytes(from: answer)
            return true
        })

    /// The session is in the middle of a call to the codec, so it exists.
    private static func events(_ owner: UnsafeMutableRawPointer?) -> (any HTTP2Events)? {
        owner.flatMap { Unmanaged<HTTP2Session>.fromOpaque($0).takeUnretainedValue().events }
    }
}

extension HTTP2Content.End {
    fileprivate var codec: Int32 {
        switch self {
        case .goesOn: LIMPET_H2_CONTENT_GOES_ON
        case .complete: LIMPET_H2_CONTENT_ENDS
        case .completeWithTrailers: LIMPET_H2_CONTENT_ENDS_WITH_TRAILERS
        }
    }
}
